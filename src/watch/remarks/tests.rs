use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn id(n: u8) -> String {
    format!("{n:024x}")
}

/// Jobs 1 to 3 are configured on web1, job 9 on web2; destination 70 is web1's.
fn config(force_activate: bool) -> Config {
    let job =
        |server: &str, n| format!(r#"{{"server": "{server}", "job_id": "{}", "label": "Job {n}"}}"#, id(n));
    let jobs = [job("web1", 1), job("web1", 2), job("web1", 3), job("web2", 9)].join(", ");
    let text = format!(
        r#"{{"ssh_key": "/k", "jobs": [{jobs}], "destination": {{"force_activate": {force_activate}}},
            "servers": {{"web1": {{"host": "h", "destination_id": "{}"}}, "web2": {{"host": "i"}}}}}}"#,
        id(70)
    );
    crate::config::parse(&text, "config.json".as_ref()).unwrap().config
}

fn web1() -> ServerName {
    "web1".parse().unwrap()
}

fn there(n: u8) -> Job {
    Job {
        id: id(n).parse().unwrap(),
        name: Some(format!("there {n}")),
        destinations: Vec::new(),
        kind: Some(1),
        contains: Some(511),
        state: Some(0),
        running: Some(false),
        disabled: Some(false),
        next_run: None,
        last_run: None,
        last_completed: None,
    }
}

fn writing(n: u8, to: &[u8]) -> Job {
    let destinations = to.iter().map(|n| id(*n).parse().unwrap()).collect();
    Job { destinations, ..there(n) }
}

fn disabled(n: u8) -> Job {
    Job { disabled: Some(true), ..there(n) }
}

fn destination(n: u8) -> Destination {
    Destination {
        id: id(n).parse().unwrap(),
        name: Some(format!("nas {n}")),
        disabled: Some(false),
        readonly: Some(false),
        usage: Some(50),
        free: Some(50),
        total: Some(100),
        disk_limit: Some(95),
    }
}

fn is(destination: Destination) -> (DestinationId, Answer) {
    (destination.id, Answer::Is(destination))
}

fn said(remarks: &[Remark]) -> Vec<(RemarkKind, String)> {
    remarks.iter().map(|remark| (remark.kind, remark.id.trim_start_matches('0').to_owned())).collect()
}

fn on_jobs(jobs: &[Job]) -> Vec<(RemarkKind, String)> {
    said(&remarks(&config(false), &web1(), jobs, &[]))
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_second(1_700_000_000 + seconds).unwrap())
}

#[test]
fn a_server_that_is_as_configured_gives_nothing_to_remark() {
    assert_eq!(on_jobs(&[there(1), there(2), there(3)]), []);
    let unclear = Job { disabled: None, ..there(2) };
    assert_eq!(on_jobs(&[there(1), unclear, there(3)]), [], "what is not known is not told");
    assert_eq!(remarks(&config(false), &web1(), &[there(1), there(2), there(3)], &[destination(70)]), []);
}

#[test]
fn jobs_that_differ_are_remarked_on() {
    use RemarkKind::{JobDisabled, JobInNoQueue, JobNotFound};
    let found = on_jobs(&[there(3), there(9), disabled(2), disabled(5), there(4)]);
    let expected = [(JobInNoQueue, "4"), (JobInNoQueue, "9"), (JobDisabled, "2"), (JobNotFound, "1")]
        .map(|(k, n)| (k, n.to_owned()));
    assert_eq!(found, expected, "one that is in another server's queue is in none of this one");
    let own = Job { kind: Some(3), ..there(6) };
    assert_eq!(on_jobs(&[there(1), there(2), there(3), own]), [], "JetBackup's own configuration");
}

#[test]
fn only_destinations_that_matter_are_asked_about() {
    let jobs = [writing(1, &[0x71, 0x70]), writing(2, &[0x71]), there(3), writing(5, &[0x72])];
    let own: DestinationId = id(70).parse().unwrap();
    let mut expected = vec![own, id(0x70).parse().unwrap(), id(0x71).parse().unwrap()];
    expected.sort();
    assert_eq!(wanted_destinations(&config(false), &web1(), &jobs), expected);
    assert_eq!(wanted_destinations(&config(false), &"web2".parse().unwrap(), &[]), []);
}

#[test]
fn destinations_that_cannot_be_written_to_are_remarked_on() {
    use RemarkKind::{DestinationDisabled, DestinationNearlyFull, DestinationReadOnly};
    let jobs = [there(1), there(2), there(3)];
    let of = |one: Destination| -> Vec<RemarkKind> {
        remarks(&config(false), &web1(), &jobs, &[one]).into_iter().map(|remark| remark.kind).collect()
    };
    assert_eq!(of(Destination { disabled: Some(true), ..destination(70) }), [DestinationDisabled]);
    assert_eq!(of(Destination { readonly: Some(true), ..destination(70) }), [DestinationReadOnly]);
    assert_eq!(
        of(Destination { usage: Some(94), free: Some(6), ..destination(70) }),
        [DestinationNearlyFull]
    );
    assert_eq!(of(Destination { disabled: None, readonly: None, ..destination(70) }), []);
}

#[test]
fn a_destination_that_is_switched_around_the_jobs_may_be_disabled() {
    let jobs = [there(1), there(2), there(3)];
    let off = |n| Destination { disabled: Some(true), ..destination(n) };
    assert_eq!(remarks(&config(true), &web1(), &jobs, &[off(70)]), []);
    assert_eq!(remarks(&config(true), &web1(), &jobs, &[off(71)]).len(), 1, "nobody enables the other one");
}

#[test]
fn what_stays_keeps_its_time_and_what_was_not_asked_stays() {
    let config = config(false);
    let jobs = [there(1), disabled(2), writing(3, &[71])];
    let full = Destination { usage: Some(93), free: Some(7), ..destination(71) };
    let over =
        |answers: Answers, known: &[Remark], now| look_over(&config, &web1(), &jobs, &answers, known, now);
    let first = over([is(full.clone()), is(destination(70))].into(), &[], at(0));
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|remark| remark.since == at(0)));

    let fuller = Destination { usage: Some(94), free: Some(6), ..full };
    let second = over([is(fuller)].into(), &first, at(60));
    assert_eq!((said(&second), second[1].since), (said(&first), at(0)));
    assert_ne!(second[1].text, first[1].text, "the numbers are those of now");

    assert_eq!(over(Answers::new(), &second, at(120)), second);
    let unasked = (id(71).parse().unwrap(), Answer::Unasked);
    assert_eq!(over([unasked].into(), &second, at(120)), second);
    let nothing = (id(71).parse().unwrap(), Answer::Nothing);
    assert_eq!(over([nothing].into(), &second, at(120)), second[..1], "nobody knows any more");
    let emptied = Destination { usage: Some(85), free: Some(15), ..destination(71) };
    assert_eq!(over([is(emptied)].into(), &second, at(120)), second[..1]);

    // No job writes there any more.
    let moved =
        look_over(&config, &web1(), &[there(1), there(2), there(3)], &Answers::new(), &second, at(180));
    assert_eq!(moved, []);
}

fn any_job() -> impl Strategy<Value = Job> {
    let flag = || prop::option::of(any::<bool>());
    (0_u8..8, prop::collection::vec(70_u8..74, 0..3), flag(), prop::option::of(0_i64..5), "\\PC{0,12}")
        .prop_map(|(n, to, disabled, kind, name)| Job { disabled, kind, name: Some(name), ..writing(n, &to) })
}

fn any_destination() -> impl Strategy<Value = Destination> {
    let flag = || prop::option::of(any::<bool>());
    (70_u8..74, flag(), flag(), any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<u64>>()).prop_map(
        |(n, disabled, readonly, usage, free, total)| Destination {
            disabled,
            readonly,
            usage,
            free,
            total,
            ..destination(n)
        },
    )
}

proptest! {
    #[test]
    fn each_thing_is_remarked_once_and_the_order_of_the_answer_changes_nothing(
        jobs in prop::collection::vec(any_job(), 0..8),
        destinations in prop::collection::vec(any_destination(), 0..4),
        force_activate: bool,
    ) {
        // A list has each id once.
        let mut ids = HashSet::new();
        let mut jobs: Vec<Job> = jobs.into_iter().filter(|job| ids.insert(job.id)).collect();
        let mut seen = HashSet::new();
        let mut destinations: Vec<Destination> =
            destinations.into_iter().filter(|one| seen.insert(one.id)).collect();
        let config = config(force_activate);
        let found = remarks(&config, &web1(), &jobs, &destinations);
        for (n, remark) in found.iter().enumerate() {
            prop_assert!(!found[..n].iter().any(|other| other.is_about(remark)), "{:?}", found);
            prop_assert!(remark.text.contains(&remark.id));
            prop_assert!(!remark.text.chars().any(char::is_control));
        }
        jobs.reverse();
        destinations.reverse();
        prop_assert_eq!(&remarks(&config, &web1(), &jobs, &destinations), &found);
    }

    #[test]
    fn looking_again_at_the_same_changes_nothing(
        jobs in prop::collection::vec(any_job(), 0..8),
        destinations in prop::collection::vec(any_destination(), 0..4),
        later in 0..1000_i64,
    ) {
        let config = config(false);
        let answers: Answers = destinations.into_iter().map(is).collect();
        let first = look_over(&config, &web1(), &jobs, &answers, &[], at(0));
        let again = look_over(&config, &web1(), &jobs, &answers, &first, at(later));
        prop_assert_eq!(&again, &first);
        prop_assert_eq!(look_over(&config, &web1(), &jobs, &Answers::new(), &first, at(later)), first);
    }
}
