#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Proves that a world can be asked over SSH, and that the SSH faults are what they are called.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jetbackup_sim::clock::{ManualClock, at};
use jetbackup_sim::ssh::{Key, SshFault, SshOptions, SshServer, SshSpoil};
use jetbackup_sim::{Fault, Job, Spoil, World, id};
use russh::client::{self, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, ssh_key};
use russh::{Channel, ChannelMsg, Disconnect};

struct Client;

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

async fn try_connect(addr: SocketAddr, key: &Key) -> Option<Handle<Client>> {
    let config = Arc::new(client::Config { nodelay: true, ..client::Config::default() });
    let mut handle = client::connect(config, addr, Client).await.ok()?;
    let private = ssh_key::PrivateKey::from_openssh(key.private_text()).unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::new(private), None);
    handle.authenticate_publickey("root", key).await.ok()?.success().then_some(handle)
}

async fn connect(server: &SshServer) -> Handle<Client> {
    try_connect(server.addr(), &Key::from_seed(9)).await.expect("let in")
}

#[derive(Debug, Default, PartialEq)]
struct Heard {
    stdout: String,
    stderr: String,
    exit: Option<u32>,
    signal: bool,
    refused: bool,
    closed: bool,
    order: String,
}

async fn hear(mut channel: Channel<client::Msg>) -> Heard {
    let mut heard = Heard::default();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                heard.stdout += std::str::from_utf8(&data).unwrap();
                heard.order += "d";
            }
            ChannelMsg::ExtendedData { data, .. } => heard.stderr += std::str::from_utf8(&data).unwrap(),
            ChannelMsg::ExitStatus { exit_status } => {
                heard.exit = Some(exit_status);
                heard.order += "s";
            }
            ChannelMsg::Eof => heard.order += "e",
            ChannelMsg::ExitSignal { .. } => heard.signal = true,
            ChannelMsg::Failure => {
                heard.refused = true;
                break;
            }
            ChannelMsg::Close => heard.closed = true,
            _ => {}
        }
    }
    heard
}

async fn ask(client: &Handle<Client>, command: &str) -> Heard {
    let channel = client.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    hear(channel).await
}

fn trigger() -> String {
    format!("jetbackup5api -F runBackupJobManually -D '_id={}' -O json", id(1))
}

async fn serve(options: SshOptions) -> (SshServer, ManualClock) {
    let clock = ManualClock::new(at("2024-01-01T00:00:00Z"));
    let world = World::new("alpha").job(Job::new(id(1), "accounts"));
    let server = SshServer::start(Arc::new(Mutex::new(world)), clock.clock(), options).await.unwrap();
    (server, clock)
}

#[tokio::test]
async fn commands_are_answered_on_one_connection() {
    let (server, clock) = serve(SshOptions::default()).await;
    let client = connect(&server).await;
    let hello = ask(&client, "echo \"jetbackup-remote-ok\"").await;
    assert_eq!((hello.stdout.as_str(), hello.exit), ("jetbackup-remote-ok\n", Some(0)));
    let reply = ask(&client, &trigger()).await;
    assert!(reply.stdout.contains("\"success\":1"), "{reply:?}");
    clock.advance(30);
    let groups = ask(&client, "jetbackup5api -F listQueueGroups -D 'type=1' -O json").await;
    assert!(groups.stdout.contains("\"status\":2"), "{groups:?}");
    let denied = ask(&client, "reboot").await;
    assert_eq!((denied.stderr.as_str(), denied.exit), ("ERROR: Command not allowed: reboot\n", Some(1)));
    let counts = server.counts();
    assert_eq!((counts.connections, counts.execs, counts.most_open), (1, 4, 1));
    assert_eq!(server.world().triggers(&id(1)), 1);
}

#[tokio::test]
async fn only_the_right_key_is_let_in() {
    let options = SshOptions { client_key: Some(Key::from_seed(7)), ..SshOptions::default() };
    let (server, _) = serve(options).await;
    assert!(try_connect(server.addr(), &Key::from_seed(8)).await.is_none());
    assert!(try_connect(server.addr(), &Key::from_seed(7)).await.is_some());
    server.refuse_auth(true);
    assert!(try_connect(server.addr(), &Key::from_seed(7)).await.is_none());
    server.refuse_auth(false);
    server.refuse_connections(true);
    assert!(try_connect(server.addr(), &Key::from_seed(7)).await.is_none());
    assert_eq!(server.counts().authenticated, 1);
}

#[tokio::test]
async fn a_cut_before_the_command_carries_nothing_out_and_a_cut_after_it_does() {
    let (server, _) = serve(SshOptions::default()).await;
    server.add_fault(SshFault::new(SshSpoil::CutBefore).on("runBackupJobManually").times(1));
    let heard = ask(&connect(&server).await, &trigger()).await;
    assert_eq!(heard.exit, None);
    assert_eq!(server.world().triggers(&id(1)), 0);
    server.add_fault(SshFault::new(SshSpoil::CutAfter).on("runBackupJobManually").times(1));
    let heard = ask(&connect(&server).await, &trigger()).await;
    assert_eq!((heard.exit, heard.stdout.as_str()), (None, ""));
    assert_eq!(server.world().triggers(&id(1)), 1);
}

#[tokio::test]
async fn answers_come_without_status_or_in_another_order() {
    let (server, _) = serve(SshOptions::default()).await;
    let client = connect(&server).await;
    for (spoil, order) in [
        (SshSpoil::NoExitStatus, "de"),
        (SshSpoil::StatusFirst, "sde"),
        (SshSpoil::EofFirst, "des"),
        (SshSpoil::Delay(Duration::from_millis(1)), "dse"),
    ] {
        server.add_fault(SshFault::new(spoil.clone()));
        let heard = ask(&client, "jetbackup5api -F getInfo -O json").await;
        server.clear_faults();
        assert!(heard.order.starts_with(order), "{spoil:?}: {heard:?}");
        assert!(heard.stdout.ends_with("}\n"), "{spoil:?}: {heard:?}");
    }
    server.add_fault(SshFault::new(SshSpoil::Killed));
    assert!(ask(&client, "jetbackup5api -F getInfo -O json").await.signal);
    server.clear_faults();
    server.add_fault(SshFault::new(SshSpoil::Refuse));
    assert!(ask(&client, "jetbackup5api -F getInfo -O json").await.refused);
    server.clear_faults();
    server.add_fault(SshFault::new(SshSpoil::CutHalfway));
    let heard = ask(&client, "jetbackup5api -F getInfo -O json").await;
    assert!(
        heard.exit.is_none() && heard.stdout.starts_with('{') && !heard.stdout.ends_with("}\n"),
        "{heard:?}"
    );
}

#[tokio::test]
async fn a_channel_can_stay_open_and_fills_its_slot() {
    let (server, _) = serve(SshOptions { max_sessions: 1, ..SshOptions::default() }).await;
    server.add_fault(SshFault::new(SshSpoil::StaysOpen).times(1));
    let client = connect(&server).await;
    let mut channel = client.channel_open_session().await.unwrap();
    channel.exec(true, "jetbackup5api -F getInfo -O json").await.unwrap();
    while !matches!(channel.wait().await.unwrap(), ChannelMsg::ExitStatus { exit_status: 0 }) {}
    assert!(client.channel_open_session().await.is_err());
    assert_eq!(server.counts().channels_refused, 1);
    channel.close().await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&client, "jetbackup5api -F getInfo -O json").await.exit, Some(0));
    }
    assert_eq!(server.counts().channels_refused, 1, "a finished command frees its slot");
}

#[tokio::test]
async fn a_server_can_be_cut_off_frozen_and_come_back_on_its_port() {
    let (server, clock) = serve(SshOptions::default()).await;
    let client = connect(&server).await;
    server.cut();
    while !client.is_closed() {
        tokio::task::yield_now().await;
    }
    let client = connect(&server).await;
    server.freeze();
    let channel = client.channel_open_session();
    assert!(tokio::time::timeout(Duration::from_millis(50), channel).await.is_err());
    let port = server.port();
    drop((server, client));
    let world = Arc::new(Mutex::new(World::new("alpha")));
    let options = || SshOptions { port, host_key: Key::from_seed(2), ..SshOptions::default() };
    // The old listener goes once its task has been scheduled once more.
    let server = loop {
        match SshServer::start(Arc::clone(&world), clock.clock(), options()).await {
            Ok(server) => break server,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert!(server.known_hosts_line().starts_with(&format!("[127.0.0.1]:{port} ssh-ed25519 ")));
    let client = connect(&server).await;
    client.disconnect(Disconnect::ByApplication, "", "").await.unwrap();
}

#[tokio::test]
async fn a_hanging_call_takes_effect_at_once() {
    let (server, _) = serve(SshOptions::default()).await;
    server.world().add_fault(Fault::new(Spoil::Hang(3600)).on("runBackupJobManually"));
    let client = connect(&server).await;
    let channel = client.channel_open_session().await.unwrap();
    channel.exec(true, trigger()).await.unwrap();
    while server.world().triggers(&id(1)) == 0 {
        tokio::task::yield_now().await;
    }
    // Other calls on the same connection go on meanwhile.
    assert_eq!(ask(&client, "jetbackup5api -F getInfo -O json").await.exit, Some(0));
    assert_eq!(server.world().runs().len(), 1);
}
