//! What a server's list of queue groups showed, kept from one reading to the next: finished groups do not change, so
//! after one whole reading the newest rows tell the rest. Whatever does not add up leads to a whole reading.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::objects::Group;
use super::view::newest_first;
use crate::model::GroupId;

/// How long the newest rows alone are believed.
const WHOLE_EVERY: Duration = Duration::from_secs(3600);

/// The list as it was last read.
#[derive(Debug)]
pub(super) struct GroupList {
    /// Newest first.
    groups: Vec<Group>,
    /// Rows by the server's own account; those without a valid id are among them.
    total: u64,
    /// When it was last read wholly.
    whole: Instant,
}

/// What the newest rows tell of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// All there is to know, once these groups were asked for by their ids.
    Up(Vec<GroupId>),
    /// Not enough: the list has to be read wholly.
    Lost,
}

impl GroupList {
    /// The list after a whole reading, if later ones may be built on it: `rows` as they came, `total` rows in all.
    /// A server that sorts otherwise than asked, or does not count, is read wholly each time.
    pub(super) fn new(rows: &[Group], total: Option<u64>) -> Option<Self> {
        let total = total.filter(|total| *total >= rows.len() as u64)?;
        if !is_newest_first(rows) {
            return None;
        }
        let mut groups: Vec<Group> = rows.iter().map(compact).collect();
        newest_first(&mut groups);
        Some(Self { groups, total, whole: Instant::now() })
    }

    /// Whether a whole reading is due.
    pub(super) fn is_old(&self) -> bool {
        self.whole.elapsed() >= WHOLE_EVERY
    }

    /// The groups, newest first.
    pub(super) fn groups(&self) -> Vec<Group> {
        self.groups.clone()
    }

    /// Takes in the newest rows, as they came, of a list of `total` rows; `limit` were asked for.
    pub(super) fn catch_up(&mut self, rows: &[Group], total: Option<u64>, limit: u64) -> Caught {
        let Some(total) = total.filter(|_| is_newest_first(rows)) else { return Caught::Lost };
        let count = rows.len() as u64;
        // A full page that claims to be all may be a server that counts the page.
        if total == count && count < limit {
            self.groups = rows.iter().map(compact).collect();
            newest_first(&mut self.groups);
            (self.total, self.whole) = (total, Instant::now());
            return Caught::Up(Vec::new());
        }
        let (Some(last), true) = (rows.last(), total > count) else { return Caught::Lost };
        // What was finished before marks where the unknown ends.
        let is_known = |id: GroupId| self.groups.iter().find(|known| known.id == id);
        if !is_known(last.id).is_some_and(|known| known.status.is_finished()) || !last.status.is_finished() {
            return Caught::Lost;
        }
        let shown: HashSet<GroupId> = rows.iter().map(|group| group.id).collect();
        // One that is as old as the last row may stand on either side of the end of the page.
        let is_gone = |known: &Group| known.created > last.created && !shown.contains(&known.id);
        let gone = self.groups.iter().filter(|known| is_gone(known)).count() as u64;
        let new = rows.iter().filter(|row| is_known(row.id).is_none()).count() as u64;
        let expected = (self.total + new).saturating_sub(gone);
        if total > expected {
            return Caught::Lost;
        }
        self.groups.retain(|known| !is_gone(known) && !shown.contains(&known.id));
        // Lists lose what is oldest.
        let lost = usize::try_from(expected - total).unwrap_or(usize::MAX);
        let oldest: HashSet<GroupId> = self
            .groups
            .iter()
            .rev()
            .filter(|known| known.status.is_finished())
            .take(lost)
            .map(|known| known.id)
            .collect();
        self.groups.retain(|known| !oldest.contains(&known.id));
        let unseen = self.groups.iter().filter(|known| !known.status.is_finished());
        let unseen: Vec<GroupId> = unseen.map(|known| known.id).collect();
        self.groups.extend(rows.iter().map(compact));
        newest_first(&mut self.groups);
        self.total = total;
        Caught::Up(unseen)
    }

    /// Takes in one group as it is now.
    pub(super) fn update(&mut self, group: &Group) {
        if let Some(known) = self.groups.iter_mut().find(|known| known.id == group.id) {
            *known = compact(group);
        }
    }
}

/// Without what nobody asks of a finished one: there may be thousands.
fn compact(group: &Group) -> Group {
    let name = group.name.clone().filter(|_| !group.status.is_finished());
    Group { name, ..group.clone() }
}

/// Whether the rows are in the order that was asked for, each with the time it is sorted by.
fn is_newest_first(rows: &[Group]) -> bool {
    rows.iter().all(|group| group.created.is_some()) && rows.is_sorted_by(|a, b| a.created >= b.created)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::status::GroupStatus;
    use super::*;

    const PAGE: usize = 5;

    fn group(number: u32, created: i64, finished: bool) -> Group {
        Group {
            id: format!("{number:024x}").parse().unwrap(),
            job: None,
            name: Some("Accounts".into()),
            kind: Some(1),
            status: if finished { GroupStatus::Completed } else { GroupStatus::Processing },
            created: Timestamp::from_second(created).ok(),
            started: None,
            ended: None,
            items: None,
            items_completed: None,
            percentage: None,
            log_id: None,
            execution_time: None,
        }
    }

    /// What a server lists.
    #[derive(Debug, Clone, Default)]
    struct Server {
        groups: Vec<Group>,
        last: u32,
    }

    impl Server {
        fn add(&mut self, created: i64, finished: bool) -> GroupId {
            self.last += 1;
            self.groups.push(group(self.last, created, finished));
            self.groups.sort_by_key(|group| std::cmp::Reverse((group.created, group.id)));
            format!("{:024x}", self.last).parse().unwrap()
        }

        fn total(&self) -> Option<u64> {
            Some(self.groups.len() as u64)
        }

        fn page(&self) -> &[Group] {
            &self.groups[..self.groups.len().min(PAGE)]
        }

        /// What a client that keeps `list` knows after one more look.
        fn look(&self, list: &mut Option<GroupList>) -> Vec<Group> {
            if let Some(known) = list
                && let Caught::Up(unseen) = known.catch_up(self.page(), self.total(), PAGE as u64)
            {
                let asked: Vec<_> =
                    unseen.iter().map(|id| self.groups.iter().find(|group| group.id == *id)).collect();
                if asked.iter().all(Option::is_some) {
                    asked.into_iter().flatten().for_each(|group| known.update(group));
                    return known.groups();
                }
            }
            *list = GroupList::new(&self.groups, self.total());
            self.groups.clone()
        }
    }

    #[derive(Debug, Clone)]
    enum Change {
        Add { back: i64, finished: bool },
        Finish(usize),
        Reopen(usize),
        Remove(usize),
        RemoveOldest(usize),
        Clear,
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            6 => (0..3i64, any::<bool>()).prop_map(|(back, finished)| Change::Add { back, finished }),
            4 => any::<usize>().prop_map(Change::Finish),
            1 => (0..PAGE).prop_map(Change::Reopen),
            2 => any::<usize>().prop_map(Change::Remove),
            2 => (1..4usize).prop_map(Change::RemoveOldest),
            1 => Just(Change::Clear),
        ]
    }

    proptest! {
        #[test]
        fn a_look_shows_all_that_is_unfinished_and_all_that_is_new(
            looks in prop::collection::vec(prop::collection::vec(change(), 0..4), 1..30)
        ) {
            let mut server = Server::default();
            let mut now = 1000;
            for _ in 0..20 {
                now += 1;
                server.add(now, true);
            }
            let mut list = None;
            server.look(&mut list);
            for changes in looks {
                let mut new = Vec::new();
                // One further down than the newest rows is seen by the next whole reading.
                let mut reopened = Vec::new();
                for change in changes {
                    now += 1;
                    let count = server.groups.len().max(1);
                    match change {
                        Change::Add { back, finished } => new.push(server.add(now - back, finished)),
                        Change::Finish(at) => {
                            if let Some(group) = server.groups.get_mut(at % count) {
                                group.status = GroupStatus::Completed;
                            }
                        }
                        Change::Reopen(at) => reopened.push(at),
                        Change::Remove(at) if !server.groups.is_empty() => {
                            let gone = server.groups.remove(at % count);
                            new.retain(|id| *id != gone.id);
                        }
                        Change::RemoveOldest(many) => {
                            let left = server.groups.len().saturating_sub(many);
                            let gone = server.groups.split_off(left);
                            new.retain(|id| gone.iter().all(|group| group.id != *id));
                        }
                        Change::Clear => {
                            server.groups.clear();
                            new.clear();
                        }
                        Change::Remove(_) => {}
                    }
                }
                for at in reopened {
                    if let Some(group) = server.groups.get_mut(at) {
                        group.status = GroupStatus::Processing;
                    }
                }
                let seen = server.look(&mut list);
                for group in server.groups.iter().filter(|group| !group.status.is_finished()) {
                    let shown = seen.iter().find(|seen| seen.id == group.id);
                    prop_assert!(shown.is_some_and(|seen| !seen.status.is_finished()), "{group:?}");
                }
                for id in new {
                    prop_assert!(seen.iter().any(|seen| seen.id == id), "{id}");
                }
                for seen in seen.iter().filter(|seen| !seen.status.is_finished()) {
                    prop_assert!(server.groups.iter().any(|group| group == seen), "{seen:?} is not unfinished");
                }
            }
        }
    }

    fn listed(count: i64) -> (Server, GroupList) {
        let mut server = Server::default();
        for created in 1..=count {
            server.add(created, true);
        }
        let list = GroupList::new(&server.groups, server.total()).unwrap();
        (server, list)
    }

    #[test]
    fn what_does_not_add_up_leads_to_a_whole_reading() {
        let (mut server, mut list) = listed(20);
        server.add(3, false);
        assert_eq!(
            list.catch_up(server.page(), server.total(), PAGE as u64),
            Caught::Lost,
            "more than is shown"
        );
        let (server, mut list) = listed(20);
        assert_eq!(list.catch_up(server.page(), None, PAGE as u64), Caught::Lost, "no total");
        let mut shuffled = server.page().to_vec();
        shuffled.swap(0, 3);
        assert_eq!(list.catch_up(&shuffled, server.total(), PAGE as u64), Caught::Lost, "not sorted");
        assert!(GroupList::new(&shuffled, Some(5)).is_none());
        let (mut server, mut list) = listed(20);
        for created in 21..=30 {
            server.add(created, true);
        }
        assert_eq!(
            list.catch_up(server.page(), server.total(), PAGE as u64),
            Caught::Lost,
            "more is new than one page"
        );
    }

    #[test]
    fn what_is_unfinished_further_down_is_asked_for() {
        let mut server = Server::default();
        let deep = server.add(1, false);
        for created in 2..=20 {
            server.add(created, true);
        }
        let mut list = GroupList::new(&server.groups, server.total()).unwrap();
        assert_eq!(list.catch_up(server.page(), server.total(), PAGE as u64), Caught::Up(vec![deep]));
    }
}
