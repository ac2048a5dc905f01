//! Connections that break at the worst moment: never a command sent twice, never a wrong "not sent".

use std::fs;
use std::process::Command;
use std::time::Duration;

use jetbackup_remote::ssh::{Connection, Exec as _, HostKeyPolicy, Sent, Target};

use crate::support::proxy::{Direction, Proxy};
use crate::support::sshd::{Options, Sshd};
use crate::{LIMIT, assert_mentions, begins, run, target};

#[tokio::test]
async fn a_server_killed_during_a_command_may_have_run_it() {
    let mut sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    let call = connection.exec(format!("touch {}; sleep 300", sshd.path("begun").display()), LIMIT);
    let kill = async {
        begins(sshd.path("begun")).await;
        sshd.stop();
    };
    let (result, ()) = tokio::join!(call, kill);
    let error = result.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::Maybe, true));
    assert_mentions(&error.message, &["web1", "lost"]);
    let error = run(&connection, "echo ok").await.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::No, true));
    assert_mentions(
        &error.message,
        &["connecting to web1 (127.0.0.1:", "connection refused; is sshd listening on that port?"],
    );
    // The first pause is a second; the call waits for its end by itself.
    sshd.resume();
    assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(sshd.accepted(), 2);
}

#[tokio::test]
async fn a_connection_cut_while_idle_is_replaced_unnoticed() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.port());
    let connection = Connection::new(Target { port: proxy.port(), ..target(&sshd) });
    for round in 1..=3 {
        assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
        assert_eq!(proxy.accepted(), round);
        proxy.cut();
    }
}

#[tokio::test]
async fn a_frozen_peer_costs_no_more_than_the_limit() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.port());
    let connection = Connection::new(Target { port: proxy.port(), ..target(&sshd) });
    assert_eq!(run(&connection, "echo ok").await.unwrap().exit, 0);
    let call =
        connection.exec(format!("touch {}; sleep 300", sshd.path("begun").display()), Duration::from_secs(2));
    let freeze = async {
        begins(sshd.path("begun")).await;
        proxy.hold();
    };
    let (result, ()) = tokio::join!(call, freeze);
    let error = result.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::Maybe, true));
    assert_mentions(&error.message, &["no answer within 2 s"]);
    // Still frozen: connecting anew gets nowhere either, and nothing is sent.
    let error = connection.exec("echo ok".to_owned(), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::No, true));
    proxy.release();
    assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(proxy.accepted(), 2, "the abandoned attempt is used by the next call");
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_left_alone_for_a_while() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.port());
    proxy.hold();
    let connect_timeout = Duration::from_millis(300);
    let connection = Connection::new(Target { port: proxy.port(), connect_timeout, ..target(&sshd) });
    let results = tokio::join!(run(&connection, "a"), run(&connection, "b"), run(&connection, "c"));
    for result in [results.0, results.1, results.2] {
        let error = result.unwrap_err();
        assert_eq!((error.sent, error.transient), (Sent::No, true));
        assert_mentions(&error.message, &["connecting to web1", "no answer within 0.3 s (SSH handshake)"]);
    }
    assert_eq!(proxy.accepted(), 1, "a burst shares one attempt");
    // The pause is at least a second, longer than this call has: it fails with the last error and bothers nobody.
    let error = connection.exec("d".to_owned(), Duration::from_millis(1)).await.unwrap_err();
    assert_mentions(&error.message, &["no answer within 0.3 s"]);
    assert_eq!(proxy.accepted(), 1);
}

/// What became of one call: whether the line was cut, and the outcome.
type Round = (bool, Result<(), Sent>);

/// Cuts the line ever later until a call gets by unharmed, and then compares what was said with what was done.
async fn cut_everywhere(direction: Direction, step: usize, logged_in: bool) {
    let sshd = patient();
    let effects = |bytes: usize| sshd.path(&format!("effects_{bytes}"));
    let done = |bytes: usize| fs::read_to_string(effects(bytes)).map_or(0, |text| text.lines().count());
    let mut rounds: Vec<(usize, Round)> = Vec::new();
    let unharmed = |(_, (cut, _)): &(usize, Round)| !cut;
    for bytes in (0..).step_by(step) {
        // Each round has a proxy and a connection of its own, which no pause after an earlier failure slows down.
        let proxy = Proxy::to(sshd.port());
        let connection = Connection::new(Target { port: proxy.port(), ..trusting(&sshd) });
        if logged_in {
            assert_eq!(run(&connection, "true").await.unwrap().exit, 0);
        }
        proxy.cut_after(direction, bytes, 1);
        let result = run(&connection, &format!("echo effect >> {}", effects(bytes).display())).await;
        let cut = !proxy.spare();
        if result.is_ok() {
            assert_eq!(done(bytes), 1, "after {bytes} bytes");
        }
        rounds.push((bytes, (cut, result.map(|_| ()).map_err(|error| error.sent))));
        if rounds.last().is_some_and(unharmed) {
            break;
        }
    }
    // Once nothing is at work there any more, what was called unsent has still not happened.
    tokio::task::block_in_place(|| sshd.wait_until_unused());
    for (bytes, (_, outcome)) in &rounds {
        let allowed = match outcome {
            Ok(()) => 1..=1,
            Err(Sent::No) => 0..=0,
            Err(Sent::Maybe) => 0..=1,
        };
        assert!(
            allowed.contains(&done(*bytes)),
            "{outcome:?} after {bytes} bytes, done {} times",
            done(*bytes)
        );
    }
    let met = |wanted: Result<(), Sent>| rounds.iter().any(|(_, (cut, outcome))| *cut && *outcome == wanted);
    // Before the request: hidden by a new connection, or said to be unsent when there was no login yet. Then the doubt.
    assert!(met(if logged_in { Ok(()) } else { Err(Sent::No) }), "{rounds:?}");
    assert!(met(Err(Sent::Maybe)), "{rounds:?}");
    assert_eq!(rounds.last().map(|(_, round)| *round), Some((false, Ok(()))));
}

/// A server that does not shut out an address for its broken connections, as OpenSSH 9.8 and newer do.
fn patient() -> Sshd {
    let plain = Sshd::start();
    let known = Command::new("/usr/sbin/sshd")
        .args(["-t", "-o", "PerSourcePenalties=no", "-f"])
        .arg(plain.path("sshd_config"))
        .output();
    if !known.unwrap().status.success() {
        return plain;
    }
    Sshd::with(&Options { config: vec!["PerSourcePenalties no".to_owned()], ..Options::default() })
}

/// Trusts the server's key under any port, as each proxy has another.
fn trusting(sshd: &Sshd) -> Target {
    Target { host_key: HostKeyPolicy::Pinned(sshd.host_key("ed25519").parse().unwrap()), ..target(sshd) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn wherever_requests_are_cut_the_answer_is_honest() {
    cut_everywhere(Direction::ToServer, 12, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn wherever_answers_are_cut_the_answer_is_honest() {
    cut_everywhere(Direction::ToClient, 12, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn wherever_a_connection_is_cut_while_it_begins_the_answer_is_honest() {
    cut_everywhere(Direction::ToServer, 150, false).await;
    cut_everywhere(Direction::ToClient, 150, false).await;
}
