//! The runner dies, is told to end, or is started twice: what runs is taken up, and nothing is triggered beside it.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use jetbackup_sim::{Fault, Run, Spoil};

use crate::farm::{Farm, Runner, brief, job, lasting, quick};

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

/// The program's disk, full at the push of a button.
///
/// It is a small tmpfs where mounting is allowed. Elsewhere, in a plain container say, a limit on the size of the
/// program's files makes every write to the history fail.
struct SmallDisk {
    path: PathBuf,
    mounted: bool,
}

impl SmallDisk {
    fn at(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&path);
        let mounted = mount.output().unwrap().status.success();
        Self { path, mounted }
    }

    fn fill(&self, runner: &Runner) {
        if self.mounted {
            let mut filler = File::create(self.path.join("filler")).unwrap();
            let full = io::copy(&mut io::repeat(b'x'), &mut filler).unwrap_err();
            assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        } else {
            let pid = runner.pid().to_string();
            let limit = Command::new("prlimit").args(["--pid", &pid, "--fsize=2048"]).status();
            assert!(limit.unwrap().success(), "neither mount nor prlimit may be used here");
        }
    }

    fn free(&self) {
        if self.mounted {
            std::fs::remove_file(self.path.join("filler")).unwrap();
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.mounted {
            let unmounted = Command::new("umount").arg("-l").arg(&self.path).status();
            assert!(
                unmounted.unwrap().success() || std::thread::panicking(),
                "umount {}",
                self.path.display()
            );
        }
    }
}

#[test]
fn on_a_full_disk_the_backups_go_on_and_the_gap_is_told() {
    let farm = Farm::new([vec![lasting(3)], vec![brief()]]);
    let disk = SmallDisk::at(farm.path("state"));
    // A limit on files' sizes is to be an error, not the end.
    let program = farm.command(&["run"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args());
    let runner = farm.launch(command);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    disk.fill(&runner);
    let ran = runner.wait();
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1), "{ran:#?}");
    // The jobs did complete; what is missing is the record, and that is told.
    ran.ended_with(0).says("not recorded");
    farm.assert_one_writer();
    disk.free();
    farm.call(&["run"]).ended_with(0);
    let open = farm.history().into_iter().filter(|run| run["open"] == true).count();
    assert_eq!(open, 0, "with room again, what the disk still has as open is settled");
    farm.assert_one_writer();
}
