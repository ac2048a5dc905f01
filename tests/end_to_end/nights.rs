//! Whole nights without accidents: the order, one at a time, and every way a job can end.

use jetbackup_sim::{Fault, Run, Spoil};

use crate::farm::{Farm, brief, job, lasting, quick};

#[test]
fn jobs_of_three_servers_run_in_order_one_at_a_time_over_one_connection_each() {
    let farm = Farm::new([vec![brief(), brief()], vec![lasting(2)], vec![brief()]]);
    farm.call(&["run"]).ended_with(0).says("4 of 4");
    let order =
        ["alpha 0, completed, -", "alpha 1, completed, -", "beta 0, completed, -", "gamma 0, completed, -"];
    assert_eq!(farm.results(), order);
    farm.assert_one_writer();
    for (server, jobs) in [(0, 2), (1, 1), (2, 1)] {
        for number in 0..jobs {
            assert_eq!(farm.triggers(server, number), 1, "{}", job(server, number));
        }
        assert_eq!(farm.world(server, |world, _| world.count("runBackupJobManually")), jobs);
        assert_eq!(farm.stations[server].sshd.accepted(), 1, "one connection a server");
    }
    // The times are the server's own, to the second.
    let run = &farm.history()[2];
    let real = farm.world(1, |world, now| world.runs_at(now).remove(0).started.unwrap());
    assert_eq!(run["duration"], 2, "{run}");
    let real = jiff::Timestamp::from_second(real.as_second()).unwrap();
    assert_eq!(run["started"].as_str().unwrap(), real.to_string(), "{run}");
}

#[test]
fn every_way_a_job_can_end_is_told_as_it_was() {
    let farm = Farm::new([vec![
        quick(Run::partial()),
        quick(Run::failed()),
        quick(Run::aborted()),
        quick(Run::never_finished()),
        brief(),
        Run::refused("Job is not allowed to run"),
        brief(),
        brief(),
    ]])
    .set("startup_timeout", 2);
    // The fifth trigger is acknowledged, and that is all.
    let lie = Fault::new(Spoil::Nothing).on("runBackupJobManually").skip(4).times(1).without_effect();
    farm.world(0, |world, now| {
        *world = world.clone().fault(lie);
        world.set_disabled_at(&job(0, 6), true, now);
    });
    farm.call(&["run"]).ended_with(2).says("1 of 8").says("disabled");
    let results = [
        "alpha 0, partial, -",
        "alpha 1, failed, -",
        "alpha 2, aborted, -",
        "alpha 3, never_finished, -",
        "alpha 4, did_not_start, nothing_started",
        "alpha 5, did_not_start, refused",
        "alpha 6, skipped, disabled",
        "alpha 7, completed, -",
    ];
    assert_eq!(farm.results(), results);
    assert_eq!(farm.history()[5]["error"], "Job is not allowed to run");
    farm.assert_one_writer();
    let triggers: Vec<usize> = (0..8).map(|number| farm.triggers(0, number)).collect();
    assert_eq!(triggers, [1, 1, 1, 1, 1, 1, 0, 1]);
}

#[test]
fn a_server_out_of_reach_costs_its_own_jobs_only() {
    let mut farm = Farm::new([vec![brief()], vec![brief()]]);
    farm.stations[0].sshd.stop();
    farm.call(&["run"]).ended_with(2);
    assert_eq!(farm.results(), ["beta 0, completed, -", "alpha 0, skipped, unreachable"]);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (0, 1));
}

#[test]
fn a_selection_runs_its_jobs_only_and_still_looks_everywhere() {
    let farm = Farm::new([vec![lasting(12)], vec![brief(), brief()]]);
    // Somebody else's run on a server that is not selected.
    farm.world(0, |world, now| world.start_by_person(&job(0, 0), now));
    farm.call(&["run", "--server", "beta", "--job", &job(1, 1)]).ended_with(0);
    assert_eq!(farm.results(), ["alpha 0, completed, -", "beta 1, completed, -"]);
    assert_eq!(farm.history()[0]["origin"], "adopted");
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0), farm.triggers(1, 1)), (0, 0, 1));
    farm.assert_one_writer();
}
