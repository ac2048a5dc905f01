//! The runner dies, is told to end, or is started twice: what runs is taken up, and nothing is triggered beside it.

use jetbackup_sim::{Fault, Run, Spoil};

use crate::farm::{Farm, brief, job, lasting, quick};

/// Starts a run of `farm`, kills the runner once `ripe`, and starts it again with `arguments`.
fn killed(farm: &Farm, what: &str, ripe: impl FnMut(&Farm) -> bool, arguments: &[&str]) {
    let runner = farm.start(&["run"]);
    farm.until(what, ripe);
    runner.kill();
    farm.call(arguments).ended_with(0);
    farm.assert_one_writer();
    assert!(farm.history().iter().all(|run| run["open"] == false));
}

#[test]
fn killed_right_after_the_trigger_it_finds_the_run_and_does_not_trigger_again() {
    let farm = Farm::new([vec![lasting(3).group_after(2).running_after(2)], vec![brief()]]);
    killed(&farm, "the trigger", |farm| farm.triggers(0, 0) == 1, &["run"]);
    assert_eq!(farm.triggers(0, 0), 1);
    assert_eq!(farm.results(), ["alpha 0, completed, -", "beta 0, completed, -"]);
}

#[test]
fn killed_while_jetbackup_has_the_run_in_its_own_queue() {
    let farm = Farm::new([vec![brief().pending(5)], vec![brief()]]);
    let known =
        |farm: &Farm| farm.triggers(0, 0) == 1 && farm.history().iter().any(|run| run["group"].is_string());
    killed(&farm, "the group is on record", known, &["run"]);
    assert_eq!(farm.triggers(0, 0), 1);
    assert_eq!(farm.results(), ["alpha 0, completed, -", "beta 0, completed, -"]);
}

#[test]
fn killed_while_the_job_runs() {
    let farm = Farm::new([vec![lasting(5)], vec![brief()]]);
    let writing =
        |farm: &Farm| farm.wrote(0).0 && farm.history().iter().any(|run| run["started"].is_string());
    killed(&farm, "the start is on record", writing, &["run"]);
    assert_eq!(farm.triggers(0, 0), 1);
    assert_eq!(farm.results(), ["alpha 0, completed, -", "beta 0, completed, -"]);
}

#[test]
fn killed_before_it_saw_the_end_it_records_that_end_and_the_new_cycle_runs_the_job_anew() {
    let farm = Farm::new([vec![quick(Run::partial()).lasting(2)]]);
    let runner = farm.start(&["run"]);
    farm.until("the start is on record", |farm| {
        farm.wrote(0).0 && farm.history().iter().any(|run| run["started"].is_string())
    });
    runner.signal("STOP");
    farm.until("the end", |farm| farm.wrote(0).1);
    runner.kill();
    farm.call(&["run"]).ended_with(2);
    assert_eq!(farm.results(), ["alpha 0, partial, -", "alpha 0, partial, -"]);
    assert_eq!(farm.history()[0]["duration"], 2, "by the server's times, though nobody watched");
    assert_eq!(farm.triggers(0, 0), 2);
    farm.assert_one_writer();
}

#[test]
fn another_servers_run_left_open_keeps_the_lane_whatever_is_selected() {
    let farm = Farm::new([vec![lasting(5)], vec![brief()]]);
    killed(&farm, "the job writes", |farm| farm.wrote(0).0, &["run", "--server", "beta"]);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
    assert_eq!(farm.results(), ["alpha 0, completed, -", "beta 0, completed, -"]);
}

#[test]
fn sigterm_leaves_the_backup_running_and_the_next_start_takes_it_up() {
    let farm = Farm::new([vec![lasting(5)], vec![brief()]]);
    let runner = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    runner.signal("TERM");
    runner.wait().ended_with(2);
    assert!(!farm.wrote(0).1, "the backup goes on");
    assert_eq!(farm.triggers(1, 0), 0);
    assert!(farm.history().iter().any(|run| run["open"] == true && run["label"] == "alpha 0"));
    farm.call(&["run"]).ended_with(0);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
    assert_eq!(farm.world(0, |world, _| world.count("stopQueueGroup")), 0);
    farm.assert_one_writer();
}

/// A server that takes three seconds to answer a trigger it has obeyed at once.
fn slow_to_answer(farm: &Farm) {
    let slow = Fault::new(Spoil::Hang(3)).on("runBackupJobManually").times(1);
    farm.world(0, |world, _| *world = world.clone().fault(slow));
}

#[test]
fn killed_before_the_trigger_is_answered() {
    let farm = Farm::new([vec![lasting(5)], vec![brief()]]);
    slow_to_answer(&farm);
    killed(&farm, "the trigger", |farm| farm.triggers(0, 0) == 1, &["run"]);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
}

#[test]
fn sigterm_before_the_trigger_is_answered_leaves_it_on_record() {
    let farm = Farm::new([vec![lasting(6)], vec![brief()]]);
    slow_to_answer(&farm);
    let runner = farm.start(&["run"]);
    farm.until("the trigger", |farm| farm.triggers(0, 0) == 1);
    runner.signal("TERM");
    runner.wait().ended_with(2);
    assert!(farm.history().iter().any(|run| run["open"] == true && run["label"] == "alpha 0"));
    farm.call(&["run"]).ended_with(0);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
    farm.assert_one_writer();
}

#[test]
fn a_second_run_is_refused_with_the_process_id_of_the_first() {
    let farm = Farm::new([vec![lasting(3)]]);
    let first = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    farm.call(&["run"]).ended_with(1).says(&format!("process {}", first.pid()));
    // Nor does it get by without the socket: the lock names the holder as well.
    std::fs::remove_file(farm.path("control/control.sock")).unwrap();
    farm.call(&["run"]).ended_with(1).says(&first.pid().to_string());
    first.wait().ended_with(0);
    assert_eq!(farm.triggers(0, 0), 1);
    farm.call(&["run", "--job", &job(0, 0)]).ended_with(0);
}

/// A state directory without a byte to spare.
struct FullDisk(std::path::PathBuf);

impl FullDisk {
    fn mount(path: std::path::PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        let disk = Self(path);
        disk.system("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs"]);
        disk
    }

    fn system(&self, program: &str, arguments: &[&str]) {
        let status = std::process::Command::new(program).args(arguments).arg(&self.0).status().unwrap();
        assert!(
            status.success(),
            "{program} {arguments:?} {} (this test has to run as root)",
            self.0.display()
        );
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        let full = std::io::copy(&mut std::io::repeat(b'x'), &mut filler).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        self.system("umount", &[]);
    }
}

#[test]
fn on_a_full_disk_the_backups_go_on_and_the_gap_is_told() {
    let farm = Farm::new([vec![lasting(3)], vec![brief()]]);
    let disk = FullDisk::mount(farm.path("state"));
    let runner = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    disk.fill();
    let ran = runner.wait();
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1), "{ran:#?}");
    // The jobs did complete; what is missing is the record, and that is told.
    ran.ended_with(0).says("not recorded");
    farm.assert_one_writer();
    std::fs::remove_file(farm.path("state/filler")).unwrap();
    farm.call(&["run"]).ended_with(0);
    let open = farm.history().into_iter().filter(|run| run["open"] == true).count();
    assert_eq!(open, 0, "with room again, what the disk still has as open is settled");
    farm.assert_one_writer();
}
