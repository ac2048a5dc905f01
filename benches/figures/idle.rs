//! How long nobody writes between two jobs, on simulated time.

use jetbackup_remote::orchestrator::WallClock;
use jetbackup_sim::{Job, Run, World, id};
use jiff::Timestamp;
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
    for (name, (pauses, night)) in
        ["first night, nothing known of the jobs", "second night"].iter().zip(nights)
    {
        let (sum, most) = (pauses.iter().sum::<f64>(), pauses.iter().copied().fold(0.0, f64::max));
        let mean = sum / pauses.len() as f64;
        let share = 100.0 * sum / night;
        figure(name, &format!("{mean:.1} s on average, {most:.1} s at most, {share:.2} % of the night"));
    }
    figure("polling every 30 s, for comparison", "15 s on average, 30 s at most, and the start's delay");
}

/// The pauses of each night, from the end of what wrote to the next trigger, and its length; all in seconds.
async fn two_nights() -> [(Vec<f64>, f64); 2] {
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
        let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
        let pauses = runs.windows(2).map(|pair| seconds(pair[0].ended.unwrap(), pair[1].triggered));
        (pauses.collect(), seconds(runs[0].triggered, runs[runs.len() - 1].ended.unwrap()))
    })
}
