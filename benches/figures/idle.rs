//! How long nobody writes between two jobs, on simulated time.

use jetbackup_remote::orchestrator::WallClock;
use jetbackup_sim::{Job, Run, World, id};
use serde_json::json;

use crate::night::Night;
use crate::{figure, heading};

/// How long the jobs take in seconds: from a small database to a server full of accounts.
const LASTING: [i64; 10] = [45, 130, 310, 611, 904, 1507, 2711, 4203, 7204, 12_305];

pub fn report() {
    heading("Idle time of the lane between two jobs, poll interval 30 s, ten jobs of 45 s to 3 h 25 min");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let nights = runtime.block_on(two_nights());
    for (name, pauses) in ["first night, nothing known of the jobs", "second night"].iter().zip(nights) {
        let (sum, most) = (pauses.iter().sum::<f64>(), pauses.iter().copied().fold(0.0, f64::max));
        let mean = sum / pauses.len() as f64;
        figure(
            name,
            &format!(
                "{mean:.1} s on average, {most:.1} s at most, {:.2} % of the night",
                100.0 * sum / night()
            ),
        );
    }
    figure("polling every 30 s, for comparison", "15 s on average, 30 s at most, and the start's delay");
}

fn night() -> f64 {
    LASTING.iter().sum::<i64>() as f64
}

/// The pauses of each night: from the end of what wrote to the next trigger.
async fn two_nights() -> [Vec<f64>; 2] {
    let jobs = LASTING.iter().zip(1..).map(|(lasting, number)| {
        // The later night differs a little from the one before, as real ones do.
        let run = |seconds| Run::completed().lasting(seconds).items(40);
        Job::new(id(number), format!("Job {number}")).runs(run(*lasting)).runs(run(lasting + lasting / 12))
    });
    let world = jobs.fold(World::new("a"), World::job);
    let names: Vec<String> = (1..=LASTING.len()).map(|number| format!("a/{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let orchestrator = json!({"poll_interval": 30, "job_timeout": 86_400});
    let there = Night::new(vec![("a", world)], &names, orchestrator);
    there.run().await;
    let seen = there.world("a").runs_at(there.clock.now()).len();
    there.run().await;
    there.assert_one_writer();
    let runs = there.world("a").runs_at(there.clock.now());
    [&runs[..seen], &runs[seen..]].map(|runs| {
        let pause = |pair: &[jetbackup_sim::truth::RealRun]| {
            pair[1].triggered.duration_since(pair[0].ended.unwrap()).as_secs_f64()
        };
        runs.windows(2).map(pause).collect()
    })
}
