//! A `run` beside a real queue that another process keeps, as a daemon does: what runs already is waited for, what does
//! not is run once, and nothing runs beside anything else.

use std::sync::Arc;

use jetbackup_remote::control::{self, Door};
use jetbackup_remote::history::History;
use jetbackup_remote::jetbackup::Client;
use jetbackup_remote::model::Selection;
use jetbackup_remote::orchestrator::{Orchestrator, SystemClock};
use jetbackup_remote::{config, ssh, state_dir};
use tokio_util::sync::CancellationToken;

use crate::farm::{Farm, brief, lasting};

#[test]
fn jobs_handed_to_a_queue_at_work_run_once_and_one_at_a_time() {
    let farm = Farm::new([vec![lasting(6)], vec![brief(), brief()]]);
    farm.call(&["validate"]).ended_with(0);
    let config = Arc::new(config::load(&farm.path("config.json")).unwrap().config);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let keeping = runtime.spawn(keep(Arc::clone(&config)));
    farm.until("the first job writes", |farm| farm.wrote(0).0);

    let ran = farm.call(&["run"]).ended_with(0).says("is already running").says("is queued at place 2");
    assert!(ran.stdout.contains("3 of 3 jobs completed in time"), "{ran:#?}");
    runtime.block_on(keeping).unwrap();
    let results = ["alpha 0, completed, -", "beta 0, completed, -", "beta 1, completed, -"];
    assert_eq!(farm.results(), results);
    assert_eq!([farm.triggers(0, 0), farm.triggers(1, 0), farm.triggers(1, 1)], [1, 1, 1]);
    farm.assert_one_writer();
}

/// Keeps a queue that begins with the first server's jobs, and serves it as a daemon does.
async fn keep(config: Arc<config::Config>) {
    let settings = &config.orchestrator;
    state_dir::ensure(&settings.state_dir).unwrap();
    let history = History::open(&settings.state_dir).await.history;
    let clients = config.servers.iter().map(|server| {
        let connection = ssh::Connection::new(ssh::Target {
            name: server.name.to_string(),
            host: server.host.clone(),
            port: server.port,
            user: server.user.clone(),
            key: ssh::KeyFile { path: server.ssh_key.path.clone(), passphrase: None },
            connect_timeout: server.ssh_timeout,
            host_key: ssh::HostKeyPolicy::KnownHosts {
                file: settings.state_dir.join("known_hosts"),
                accept_new: true,
            },
        });
        let exec: Arc<dyn ssh::Exec> = Arc::new(connection);
        (server.name.clone(), Arc::new(Client::new(server.name.clone(), exec, server.ssh_timeout)))
    });
    let (clients, clock) = (clients.collect(), Arc::new(SystemClock));
    let (machine, handle) = Orchestrator::new(Arc::clone(&config), clients, history, clock).await;
    let door =
        Door { requests: handle.requests, snapshot: handle.snapshot, events: handle.events.downgrade() };
    let served = control::serve(&settings.control_socket, control::Runner::Daemon, door).await.unwrap();
    drop(handle.events);
    let first = Selection { server: Some(config.servers[0].name.clone()), job: None };
    machine.run(&first, CancellationToken::new()).await;
    served.close().await;
}
