//! What `validate` prints of a configuration without fault.

use std::fmt::Write;

use super::{Config, Daemon, Job, Loop, OnTimeout, Server};

/// The configuration in a few lines of at most 80 columns. No secrets.
#[must_use]
pub fn summary(config: &Config) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = write(config, &mut text);
    text
}

fn write(config: &Config, text: &mut String) -> std::fmt::Result {
    writeln!(text, "{} is valid.", config.path.display())?;
    writeln!(text, "\nservers")?;
    for Server { name, user, host, port, host_key, .. } in &config.servers {
        let pinned = if host_key.is_some() { ", host key pinned" } else { "" };
        writeln!(text, "  {name:<16} {user}@{host}:{port}{pinned}")?;
    }
    writeln!(text, "\njobs")?;
    for Job { key, label, priority, timeout, .. } in &config.jobs {
        let priority = if *priority == 0 { String::new() } else { format!(", priority {priority}") };
        writeln!(text, "  {:<16} {} {label} (limit {} s{priority})", key.server, key.job, timeout.as_secs())?;
    }
    let orchestrator = &config.orchestrator;
    let policy = match orchestrator.on_timeout {
        OnTimeout::Continue => {
            format!("go on, with at most {} beside the lane", orchestrator.max_overruns)
        }
        OnTimeout::Wait => "wait for its end or a release".into(),
    };
    writeln!(text, "\nqueue")?;
    writeln!(text, "  polls every {} s at most", orchestrator.poll_interval.as_secs())?;
    writeln!(text, "  a job beyond its limit: {policy}")?;
    writeln!(text, "  state in {}", orchestrator.state_dir.display())?;
    writeln!(text, "  cycles: {}", cycles(config))?;
    let mail = &config.notification;
    let mail = if mail.enabled {
        format!("to {} by {}:{}", mail.to_addresses.join(", "), mail.smtp_host, mail.smtp_port)
    } else {
        "off".into()
    };
    writeln!(text, "\nmail: {mail}")?;
    let outside = [
        config.notification.ping_url.as_ref().map(|_| "a watcher is pinged"),
        config.notification.webhook_url.as_ref().map(|_| "a webhook gets every event"),
    ];
    let outside: Vec<&str> = outside.into_iter().flatten().collect();
    if !outside.is_empty() {
        writeln!(text, "outside: {}", outside.join(", "))?;
    }
    let mqtt = &config.mqtt;
    let mqtt = if mqtt.enabled { format!("{}:{}", mqtt.host, mqtt.port) } else { "off".into() };
    writeln!(text, "mqtt: {mqtt}")
}

/// When the daemon starts cycles.
fn cycles(config: &Config) -> String {
    let Daemon { schedule, random_delay } = &config.daemon;
    match (schedule, config.cycle_loop) {
        (Some(schedule), _) => {
            let delay = match random_delay.as_secs() {
                0 => String::new(),
                seconds => format!(", up to {seconds} s later"),
            };
            // Words that do not fit into a line help nobody.
            let words = schedule.words();
            let words = if words.len() > 24 { String::new() } else { format!(" ({words})") };
            format!("{schedule}{words}, local time{delay}")
        }
        (None, Some(Loop { target_interval, min_pause })) => format!(
            "every {} s, with a pause of {} s at least",
            target_interval.as_secs(),
            min_pause.as_secs()
        ),
        (None, None) => "only when asked for".into(),
    }
}
