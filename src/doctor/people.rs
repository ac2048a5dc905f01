//! Users, groups, and what the mode of a file lets them do. Plain files are read: no name service is asked.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The user the service runs as.
pub(super) const SERVICE_USER: &str = "jetbackup-remote";

/// A user with all groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub name: String,
    pub id: u32,
    pub groups: BTreeSet<u32>,
}

/// What is wanted of a file, as the bits of its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Read = 4,
    Write = 2,
    Enter = 1,
}

impl User {
    /// The user of the service, if there is one here.
    pub fn of_service() -> Option<Self> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::find(SERVICE_USER, &read("/etc/passwd"), &read("/etc/group"))
    }

    /// A user by name, in texts as of `passwd(5)` and `group(5)`.
    fn find(name: &str, passwd: &str, group: &str) -> Option<Self> {
        let mut fields = passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.first() == Some(&name))?
            .into_iter();
        let (id, own) = (fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?);
        let further = group.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let is_member = fields.get(3)?.split(',').any(|member| member.trim() == name);
            fields.get(2)?.parse().ok().filter(|_| is_member)
        });
        Some(Self { name: name.to_owned(), id, groups: further.chain([own]).collect() })
    }

    /// Whether the mode of a file allows this.
    pub fn may(&self, wish: Wish, file: &Metadata) -> bool {
        allows(file.mode(), (file.uid(), file.gid()), self, wish)
    }

    /// Whether this user can get at a file with this wish: every folder above it included.
    pub fn can(&self, wish: Wish, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        let above = path.ancestors().skip(1);
        let enters = |folder: &Path| folder.metadata().is_ok_and(|folder| self.may(Wish::Enter, &folder));
        above.into_iter().all(enters) && path.metadata().is_ok_and(|file| self.may(wish, &file))
    }
}

/// The first class that fits decides, as in the kernel; root is asked nothing.
fn allows(mode: u32, (owner, group): (u32, u32), user: &User, wish: Wish) -> bool {
    let class = match () {
        () if user.id == 0 => return true,
        () if user.id == owner => 6,
        () if user.groups.contains(&group) => 3,
        () => 0,
    };
    (mode >> class) & wish as u32 != 0
}

/// The name of a user id, or the id itself.
pub(super) fn name_of(id: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| id.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\njetbackup-remote:x:998:997::/nonexistent:/bin/false\n";
    const GROUP: &str = "root:x:0:\nssl-cert:x:110:a,jetbackup-remote\nbackup:x:34:other\n";

    #[test]
    fn a_user_has_the_own_group_and_those_it_is_a_member_of() {
        let user = User::find(SERVICE_USER, PASSWD, GROUP).unwrap();
        assert_eq!((user.id, user.groups), (998, [110, 997].into()));
        assert_eq!(User::find("nobody", PASSWD, GROUP), None);
    }

    #[test]
    fn the_first_class_that_fits_decides() {
        let user = User::find(SERVICE_USER, PASSWD, GROUP).unwrap();
        for (mode, owner, read) in [
            (0o600, (0, 0), false),
            (0o640, (0, 997), true),
            (0o640, (0, 0), false),
            (0o604, (0, 0), true),
            (0o604, (0, 997), false),
            (0o004, (998, 0), false),
            (0o400, (998, 0), true),
        ] {
            assert_eq!(allows(mode, owner, &user, Wish::Read), read, "{mode:o} {owner:?}");
        }
        let root = User { name: "root".into(), id: 0, groups: [0].into() };
        assert!(allows(0, (1, 1), &root, Wish::Write));
    }

    proptest! {
        #[test]
        fn any_text_may_stand_in_those_files(passwd in any::<String>(), group in any::<String>(), name in ".{0,8}") {
            let _ = User::find(&name, &passwd, &group);
        }
    }
}
