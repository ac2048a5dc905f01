//! Honest commands give exact argument lists; hostile ones give a refusal and start nothing.

use crate::harness::{API_ANSWER, API_STATUS, CLIENT, Shell, World, refusal, shown};
use crate::oracle::{FUNCTIONS, Function, Verdict, decide};

const ID: &str = "64abcdef0123456789abcdef";
const EVERYTHING: &[&str] = &["log", "destination", "switch"];
const NOTHING: &[&str] = &[];

/// The lines of a table that are not comments, with the id filled in.
fn table(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.replace('@', ID))
}

/// `--allow` words, the command, and the arguments it becomes.
fn honest() -> Vec<(Vec<String>, String, Vec<String>)> {
    let words =
        |text: &str, by: char| text.split(by).filter(|word| *word != "-").map(str::to_owned).collect();
    table(include_str!("honest.txt"))
        .map(|line| {
            let (allow, rest) = line.split_once(" | ").unwrap();
            let (command, vector) = rest.split_once(" => ").unwrap();
            (words(allow, ','), command.to_owned(), words(vector, ' '))
        })
        .collect()
}

/// Whatever a shell would make more of. `CANARY` is a file that must not come to be.
const TRICKS: [&str; 42] = [
    "; touch CANARY",
    ";touch CANARY",
    " && touch CANARY",
    " || touch CANARY",
    " | touch CANARY",
    " & touch CANARY",
    "&touch CANARY",
    "\ntouch CANARY",
    "\n",
    "\r",
    "\r\n",
    "\t",
    " ",
    "  ",
    " > CANARY",
    ">CANARY",
    " 2>CANARY",
    " < /etc/shadow",
    " $(touch CANARY)",
    "$(touch CANARY)",
    " `touch CANARY`",
    "`touch CANARY`",
    " ${x:=CANARY}",
    " $((1))",
    " <(touch CANARY)",
    " # touch CANARY",
    "\\",
    "\\\ntouch CANARY",
    "'",
    "\"",
    "''",
    " ''",
    " -v",
    " --help",
    " -D _id=x",
    " -o CANARY",
    " *",
    " ?",
    " x",
    "\u{a0}",
    "\u{1b}[2J",
    "\u{7f}",
];

/// Functions that destroy or reveal, and words that are no functions.
const FORBIDDEN: [&str; 14] = [
    "clearQueue",
    "stopAllQueueGroup",
    "deleteBackupJob",
    "duplicateBackupJob",
    "editBackupJob",
    "addQueueItems",
    "manageAccount",
    "listQueueItems",
    "listLogItems",
    "getLogItem",
    "manageSettingsGeneral",
    "listAlerts",
    "_id",
    "limit",
];

/// Commands that are refused even where all the words are allowed, so that only the grammar stands in the way.
fn hostile(canary: &str) -> Vec<Vec<u8>> {
    let job = format!("jetbackup5api -F getBackupJob -D '_id={ID}' -O json");
    let mut all: Vec<String> = table(include_str!("hostile-commands.txt")).collect();

    // After, before and inside an honest command, and alone.
    for trick in TRICKS {
        all.extend([
            trick.to_owned(),
            format!("{job}{trick}"),
            format!("{trick}{job}"),
            format!("jetbackup5api -F getInfo{trick}"),
            format!("jetbackup5api -F listBackupJobs -D 'limit=1{trick}' -O json"),
            format!("jetbackup5api -F listBackupJobs -D limit=1{trick} -O plain"),
            format!("jetbackup5api -F getBackupJob -D \"_id={ID}{trick}\""),
            format!("echo \"jetbackup-remote-ok\"{trick}"),
            format!("echo {trick}jetbackup-remote-ok"),
        ]);
    }
    for function in FORBIDDEN {
        all.push(format!("jetbackup5api -F {function} -O json"));
        all.push(format!("jetbackup5api -F {function} -D '_id={ID}' -O json"));
        all.push(format!("jetbackup5api -F {function} -D '_id={ID}&disabled=1' -O json"));
    }
    for line in table(include_str!("hostile-parameters.txt")) {
        let (function, data) = line.split_once(' ').unwrap();
        all.push(format!("jetbackup5api -F {function} -D '{data}' -O json"));
        all.push(format!("jetbackup5api -F {function} -D {data} -O json"));
        all.push(format!("jetbackup5api -F {function} -D \"{data}\""));
    }
    for Function { name, required, .. } in FUNCTIONS {
        if !required.is_empty() {
            all.push(format!("jetbackup5api -F {name} -O json"));
            all.push(format!("jetbackup5api -F {name}"));
        }
    }
    // Blanks at the end, and too much of everything.
    for command in ["echo", "jetbackup5api", "jetbackup5api -F", "jetbackup5api -F getInfo -D"] {
        all.push(format!("{command} "));
    }
    all.push("jetbackup5api\t-F\tgetInfo".to_owned());
    all.push(format!("jetbackup5api -F listBackupJobs -D 'limit={}1' -O json", "0".repeat(1000)));
    all.push(format!("jetbackup5api -F getInfo{}", " ".repeat(5000)));
    all.push("x".repeat(100_000));

    let mut all: Vec<Vec<u8>> =
        all.into_iter().map(|text| text.replace("CANARY", canary).into_bytes()).collect();
    // Bytes that are no text at all, also those that some shells use as marks of their own.
    for byte in (0x01..0x20).chain(0x7f..=0xff) {
        let mut sent = job.clone().into_bytes();
        sent[41] = byte;
        all.push(sent);
        all.push([b"jetbackup5api -F getInfo", &[byte][..]].concat());
    }
    all.push(b"\xff\xfe".to_vec());
    all
}

#[test]
fn honest_commands_become_exact_argument_lists() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        for (allow, command, vector) in honest() {
            let allow: Vec<_> = allow.iter().map(String::as_str).collect();
            assert_eq!(decide(&allow, command.as_bytes()), Verdict::Call(vector.clone()), "{command}");

            let outcome = world.run(&allow, command.as_bytes());
            let context = format!("{shell:?}: {command}: {outcome:?}");
            assert_eq!(outcome.calls, std::slice::from_ref(&vector), "{context}");
            assert_eq!(outcome.status, Some(API_STATUS), "{context}");
            assert_eq!(outcome.stdout, API_ANSWER.as_bytes(), "{context}");
            assert!(outcome.stderr.is_empty() && outcome.tripped.is_empty(), "{context}");

            // One way of writing in the log, whatever the client's.
            let mut said = format!("ALLOWED from {CLIENT}: jetbackup5api");
            for (at, word) in vector.iter().enumerate() {
                let data = at > 0 && vector[at - 1] == "-D";
                said += &if data { format!(" '{word}'") } else { format!(" {word}") };
            }
            assert_eq!(
                world.logged(),
                ["-t", "jetbackup-ssh-gate", "-p", "auth.info", "--", &said],
                "{context}"
            );
        }
    }
}

#[test]
fn the_connection_test_is_answered_by_the_gate_itself() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        for command in
            ["echo jetbackup-remote-ok", "echo 'jetbackup-remote-ok'", "echo \"jetbackup-remote-ok\""]
        {
            assert_eq!(decide(NOTHING, command.as_bytes()), Verdict::Hello);
            let outcome = world.run(NOTHING, command.as_bytes());
            assert_eq!(outcome.stdout, b"jetbackup-remote-ok\n", "{shell:?}: {outcome:?}");
            assert_eq!(outcome.status, Some(0), "{shell:?}: {outcome:?}");
            assert!(outcome.calls.is_empty() && outcome.tripped.is_empty(), "{shell:?}: {outcome:?}");
            assert_eq!(world.logged()[5], format!("ALLOWED from {CLIENT}: echo jetbackup-remote-ok"));
        }
    }
}

fn hostile_commands_are_refused_under(shell: Shell) {
    let world = World::new(shell);
    for sent in hostile(world.canary().to_str().unwrap()) {
        assert_eq!(decide(EVERYTHING, &sent), Verdict::Denied, "the table is wrong: {}", shown(&sent));
        refused(&world, shell, EVERYTHING, &sent);
    }
}

/// Proves the whole of a refusal.
fn refused(world: &World, shell: Shell, allow: &[&str], sent: &[u8]) {
    let outcome = world.run(allow, sent);
    let context = format!("{shell:?}: {}: {outcome:?}", shown(sent));
    assert!(outcome.calls.is_empty() && outcome.tripped.is_empty(), "{context}");
    assert_eq!(outcome.status, Some(1), "{context}");
    assert!(outcome.stdout.is_empty(), "{context}");
    let said = refusal(&shown(sent), allow);
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), said, "{context}");
    let line = format!("DENIED from {CLIENT}: {}", shown(sent));
    assert_eq!(world.logged(), ["-t", "jetbackup-ssh-gate", "-p", "auth.warning", "--", &line], "{context}");
}

#[test]
fn hostile_commands_are_refused_under_dash() {
    hostile_commands_are_refused_under(Shell::Dash);
}

#[test]
fn hostile_commands_are_refused_under_bash() {
    hostile_commands_are_refused_under(Shell::BashAsSh);
}

#[test]
fn hostile_commands_are_refused_under_busybox() {
    hostile_commands_are_refused_under(Shell::BusyboxAsh);
}

#[test]
fn what_the_owner_did_not_open_is_refused() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        for (allow, command, _) in honest().into_iter().filter(|(allow, ..)| !allow.is_empty()) {
            let without: Vec<_> = EVERYTHING
                .iter()
                .copied()
                .filter(|word| !allow.iter().any(|allowed| allowed == word))
                .collect();
            if decide(&without, command.as_bytes()) == Verdict::Denied {
                refused(&world, shell, &without, command.as_bytes());
            }
            refused(&world, shell, NOTHING, command.as_bytes());
        }
    }
}

#[test]
fn an_interactive_login_is_refused() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        for sent in [None, Some(&b""[..])] {
            let outcome = world.finish(world.command(EVERYTHING, sent));
            assert_eq!(outcome.status, Some(1), "{shell:?}: {outcome:?}");
            let said = refusal("(no command: an interactive login)", EVERYTHING);
            assert_eq!(String::from_utf8_lossy(&outcome.stderr), said);
            assert!(outcome.stdout.is_empty() && outcome.calls.is_empty(), "{shell:?}: {outcome:?}");
            assert_eq!(
                world.logged()[5],
                format!("DENIED from {CLIENT}: (no command: an interactive login)")
            );
        }
    }
}
