//! Commands and their answers.

use std::sync::Arc;
use std::time::Duration;

use jetbackup_remote::ssh::{Connection, Exec as _, Output, Sent};

use crate::support::sshd::{Options, Sshd};
use crate::{LIMIT, assert_mentions, begins, run, target};

#[tokio::test]
async fn output_errors_and_exit_status_come_back() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    let output = run(&connection, "echo out; echo err >&2; exit 7").await.unwrap();
    assert_eq!(output, Output { stdout: b"out\n".to_vec(), stderr: "err\n".to_owned(), exit: 7 });
    // Standard input is empty, not open for ever.
    assert_eq!(run(&connection, "cat").await.unwrap().stdout, b"");
    // Several times the window a channel starts with.
    let output = run(&connection, "head -c 7340032 /dev/zero").await.unwrap();
    assert_eq!(output.stdout.len(), 7 * 1024 * 1024);
    assert_eq!(run(&connection, "head -c 100000 /dev/zero >&2").await.unwrap().stderr.len(), 4096);
    assert_eq!(sshd.accepted(), 1);
}

#[tokio::test]
async fn forced_commands_see_what_was_asked() {
    let options =
        Options { forced_command: Some("echo got $SSH_ORIGINAL_COMMAND".to_owned()), ..Options::default() };
    let sshd = Sshd::with(&options);
    let output = run(&Connection::new(target(&sshd)), "listJobs").await.unwrap();
    assert_eq!(output.stdout, b"got listJobs\n");
}

#[tokio::test]
async fn endless_output_is_an_error_and_the_next_command_works() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    let error = run(&connection, "exec cat /dev/zero").await.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::Maybe, false));
    assert_mentions(&error.message, &["web1", "more than 8 MiB"]);
    assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(sshd.accepted(), 2);
}

#[tokio::test]
async fn a_signal_is_named_and_the_connection_stays() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    let error = run(&connection, "kill -KILL $$").await.unwrap_err();
    assert_eq!(error.sent, Sent::Maybe);
    assert_mentions(&error.message, &["signal KILL"]);
    assert_eq!(run(&connection, "echo ok").await.unwrap().exit, 0);
    assert_eq!(sshd.accepted(), 1);
}

#[tokio::test]
async fn a_background_child_does_not_hold_the_answer_or_a_slot() {
    let sshd = Sshd::with(&Options { config: vec!["MaxSessions 1".to_owned()], ..Options::default() });
    let connection = Connection::new(target(&sshd));
    for _ in 0..2 {
        let output = run(&connection, "sleep 300 & echo $!").await.unwrap();
        assert_eq!(output.exit, 0);
        let child = String::from_utf8(output.stdout).unwrap();
        assert!(
            run(&connection, &format!("kill {child}")).await.unwrap().exit == 0,
            "the child was gone already"
        );
    }
    assert_eq!(sshd.accepted(), 1);
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    for sessions in [4, 1] {
        let sshd =
            Sshd::with(&Options { config: vec![format!("MaxSessions {sessions}")], ..Options::default() });
        let connection = Arc::new(Connection::new(target(&sshd)));
        let calls: Vec<_> = (0..30)
            .map(|number| {
                let connection = Arc::clone(&connection);
                tokio::spawn(async move { run(&connection, &format!("echo {number}; sleep 0.01")).await })
            })
            .collect();
        for (number, call) in calls.into_iter().enumerate() {
            let output = call.await.unwrap().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{number}\n"));
        }
        assert_eq!(sshd.accepted(), 1, "{}", sshd.log());
    }
}

#[tokio::test]
async fn a_dropped_call_does_not_disturb_the_others() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    assert_eq!(run(&connection, "echo ok").await.unwrap().exit, 0);
    let other = connection.exec("sleep 1; echo other".to_owned(), LIMIT);
    let abandoned = async {
        let begun = sshd.path("begun");
        let call = connection.exec(format!("touch {}; exec cat /dev/zero", begun.display()), LIMIT);
        tokio::select! {
            biased;
            () = begins(begun.clone()) => {}
            _ = call => {}
        }
    };
    let (other, ()) = tokio::join!(other, abandoned);
    assert_eq!(other.unwrap().stdout, b"other\n");
    // Its channel is lost to the old connection, so the next call makes a new one.
    assert_eq!(run(&connection, "echo ok").await.unwrap().exit, 0);
    assert_eq!(sshd.accepted(), 2);
}

#[tokio::test]
async fn an_unused_connection_closes_and_comes_back() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd)).with_idle_limit(Duration::from_millis(100));
    // Longer than the limit, but not unused.
    assert_eq!(run(&connection, "sleep 0.5; echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(sshd.accepted(), 1);
    let sshd = tokio::task::spawn_blocking(move || {
        sshd.wait_for("Disconnected from user", 1);
        sshd
    });
    let sshd = sshd.await.unwrap();
    assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(sshd.accepted(), 2);
    connection.close().await;
}
