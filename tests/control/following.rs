//! Following: nothing is lost or told twice, nobody is waited for, and every way a runner can go is told apart.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use jetbackup_remote::control::{Followed, Follower};
use jetbackup_remote::model::{CycleId, CycleRecord};

use super::*;

async fn follower(path: &Path) -> Follower {
    client(path).await.follow().await.unwrap()
}

/// The first thing a follower is told.
async fn beginning(follower: &mut Follower) -> Snapshot {
    match follower.next().await.unwrap() {
        Followed::Snapshot(snapshot) => *snapshot,
        other => panic!("a snapshot comes first, not {other:?}"),
    }
}

fn waiting(number: u32) -> What {
    What::Waiting { reason: Some(format!("reason {number}")) }
}

/// Follows until the queue waits for `last`: how things stand then as told, and how many events were missed.
async fn until(follower: &mut Follower, last: u32) -> (Snapshot, u64) {
    let (mut snapshot, mut missed) = (beginning(follower).await, 0);
    let last = Some(format!("reason {last}"));
    while snapshot.queue().reason != last {
        match follower.next().await.unwrap() {
            Followed::Snapshot(now) => snapshot = *now,
            Followed::Event(event) => snapshot.apply(&event),
            Followed::Missed(number) => missed += number,
        }
    }
    (snapshot, missed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_one_begins_to_follow_every_event_counts_once() {
    let (_room, path) = room();
    let (_served, queue) = served(&path, Runner::Daemon).await;
    let cycle = CycleRecord::begun(CycleId(1), jiff::Timestamp::UNIX_EPOCH, 1);
    queue.tell(What::CycleStarted { cycle, jobs: vec![], resumed: false });
    let telling = tokio::task::spawn_blocking(move || {
        for number in 0..2000 {
            // Counted by the snapshot, so that one told twice or not at all would be seen.
            let job = JobKey { job: format!("64ab{number:020}").parse().unwrap(), ..key() };
            queue.tell(What::JobQueued { job });
        }
        queue.tell(waiting(0));
        queue
    });
    let mut seen = Vec::new();
    for _ in 0..6 {
        let mut follower = follower(&path).await;
        seen.push(tokio::spawn(async move { until(&mut follower, 0).await.0 }));
    }
    let queue = telling.await.unwrap();
    for seen in seen {
        assert_eq!(seen.await.unwrap(), *queue.shown.borrow());
    }
}

#[tokio::test]
async fn a_slow_follower_misses_events_and_still_ends_up_right() {
    let (_room, path) = room();
    let (_served, queue) = served(&path, Runner::Daemon).await;
    let mut slow = follower(&path).await;
    // Far more than the system keeps for it, and the queue is not held up by it.
    for number in 0..20_000 {
        queue.tell(waiting(number));
        if number % 32 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (snapshot, missed) = until(&mut slow, 19_999).await;
    assert_eq!(snapshot, *queue.shown.borrow());
    assert!(missed > 0);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_stops_reading_is_dropped() {
    let (_room, path) = room();
    let (_served, queue) = served(&path, Runner::Daemon).await;
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"{\"version\":1,\"ask\":\"follow\"}\n").await.unwrap();
    while queue.events.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }
    let mut told = 0;
    while queue.events.receiver_count() > 0 {
        queue.tell(waiting(told));
        told += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What was written is there to be read, and then comes the end.
    let mut stream = BufReader::with_capacity(1 << 20, stream.into_std().unwrap());
    stream.get_ref().set_nonblocking(false).unwrap();
    let mut lines = 0;
    while stream.read_until(b'\n', &mut Vec::new()).unwrap() > 0 {
        lines += 1;
    }
    assert!(lines < told, "{lines} of {told}");
}

#[tokio::test]
async fn followers_are_bounded_and_keep_nobody_from_asking() {
    let (_room, path) = room();
    let (_served, _queue) = served(&path, Runner::Daemon).await;
    let mut followers = Vec::new();
    for _ in 0..8 {
        followers.push(follower(&path).await);
    }
    let error = client(&path).await.follow().await.unwrap_err();
    assert!(error.to_string().contains("8 others follow already"), "{error}");
    let mut asking = client(&path).await;
    assert_eq!(asking.status().await.unwrap(), Status::of(&snapshot()));
    followers.pop();
    while client(&path).await.follow().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn where_an_answer_belongs_among_the_events_is_known() {
    let (_room, path) = room();
    let (_served, mut queue) = served(&path, Runner::Daemon).await;
    let mut follower = follower(&path).await;
    let begun = beginning(&mut follower).await.applied();
    let mut asking = client(&path).await;
    let (carried, ()) = tokio::join!(asking.carry_out(Command::Run(Selection::default())), async {
        let (_, answer) = queue.asked.recv().await.unwrap();
        queue.tell(waiting(1));
        queue.tell(waiting(2));
        answer.send(Answer::accepted("queued")).unwrap();
    });
    let carried = carried.unwrap();
    assert_eq!((carried.answer, carried.applied), (Answer::accepted("queued"), begun + 2));
}

#[tokio::test]
async fn a_runner_that_ends_says_so_and_its_successor_is_followed_as_well() {
    let (_room, path) = room();
    let (first, queue) = served(&path, Runner::Daemon).await;
    let mut following = follower(&path).await;
    beginning(&mut following).await;
    queue.tell(waiting(1));
    first.close().await;
    assert!(matches!(following.next().await.unwrap(), Followed::Event(_)));
    let error = following.next().await.unwrap_err();
    assert!(matches!(error, ControlError::Ended { runner: Runner::Daemon, .. }), "{error}");
    assert!(error.to_string().ends_with("has ended"), "{error}");

    let (_second, queue) = served(&path, Runner::Daemon).await;
    queue.tell(waiting(2));
    assert_eq!(beginning(&mut follower(&path).await).await, *queue.shown.borrow());
}

/// Set for the part that is to be killed.
const DOOMED: &str = "JETBACKUP_REMOTE_TEST_DOOMED";

#[tokio::test]
async fn a_runner_that_is_killed_is_not_one_that_has_ended() {
    let (_room, path) = room();
    let program = std::env::current_exe().unwrap();
    let mut serving = Process::new(program)
        .args(["--ignored", "--exact", "following::served_until_killed", "--nocapture"])
        .env(DOOMED, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("it serves")));
    let mut following = follower(&path).await;
    assert_eq!(following.pid(), serving.id());
    beginning(&mut following).await;
    serving.kill().unwrap();
    serving.wait().unwrap();
    let error = following.next().await.unwrap_err();
    assert!(matches!(error, ControlError::Silent { .. }), "{error}");
    assert!(error.to_string().contains("without a goodbye"), "{error}");
    assert!(nobody(&path).await);
}

#[tokio::test]
#[ignore = "only of use to the test above"]
async fn served_until_killed() {
    let Some(path) = std::env::var_os(DOOMED).map(PathBuf::from) else { return };
    let (_served, _queue) = served(&path, Runner::Daemon).await;
    println!("it serves");
    // The end of the input is the end of the test above: nothing is left behind, whatever becomes of it.
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
}

/// A runner that says these texts, one after each request, and then no more.
fn scripted(path: &Path, texts: &[&str]) -> std::thread::JoinHandle<()> {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let listener = StdListener::bind(path).unwrap();
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut requests = BufReader::new(stream.try_clone().unwrap()).lines();
        for text in texts {
            requests.next().unwrap().unwrap();
            (&stream).write_all(text.as_bytes()).unwrap();
        }
        // Stays until the client hangs up.
        requests.next();
    })
}

/// What a runner says first.
const HELLO: &str = "{\"version\":1,\"pid\":7,\"runner\":\"daemon\"}\n";

#[tokio::test]
async fn a_runner_of_another_version_is_told() {
    for (second, said) in [
        (r#"{"version":2,"pid":7,"runner":"daemon","news":[]}"#, "it speaks version 2"),
        (r#"{"version":1,"pid":7,"runner":"daemon"}"#, "there is no snapshot"),
        (r#"{"version":1,"pid":7,"runner":"daemon","error":"unknown: follow"}"#, "unknown: follow"),
        ("tea?", "may be of another version"),
    ] {
        let (_room, path) = room();
        let runner = scripted(&path, &[HELLO, &format!("{second}\n")]);
        let error = client(&path).await.follow().await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        runner.join().unwrap();
    }
}

#[tokio::test]
async fn news_that_are_not_understood_are_told_and_those_of_a_later_version_skipped() {
    let (_room, path) = room();
    let first = serde_json::json!({"version": 1, "pid": 7, "runner": "daemon", "snapshot": snapshot()});
    let first = format!("{first}\n{{\"weather\":\"fair\"}}\n{{\"event\":{{\"at\":\"noon\"}}}}\n");
    let runner = scripted(&path, &[HELLO, &first]);
    let mut following = follower(&path).await;
    assert_eq!(beginning(&mut following).await, snapshot());
    let error = following.next().await.unwrap_err();
    assert!(matches!(error, ControlError::NotUnderstood { .. }), "{error}");
    drop(following);
    runner.join().unwrap();
}

#[tokio::test]
async fn a_runner_that_hangs_amid_a_line_is_given_up_after_a_minute() {
    let (_room, path) = room();
    let first = serde_json::json!({"version": 1, "pid": 7, "runner": "daemon", "snapshot": snapshot()});
    let first = format!("{first}\n{{\"missed\":");
    let runner = scripted(&path, &[HELLO, &first]);
    let mut following = follower(&path).await;
    beginning(&mut following).await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    // Who waits for something else beside it drops the future again and again.
    let error = loop {
        match tokio::time::timeout(Duration::from_secs(7), following.next()).await {
            Ok(told) => break told.unwrap_err(),
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(120)),
        }
    };
    assert!(matches!(error, ControlError::Silent { .. }), "{error}");
    assert!(begun.elapsed().as_secs() <= 60, "{:?}", begun.elapsed());
    drop(following);
    runner.join().unwrap();
}
