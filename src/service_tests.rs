//! What a service manager hears, through real datagram sockets.

use tempfile::TempDir;

use super::*;

/// A service manager that listens on a path, and a service that was told of it.
struct Listener {
    socket: UnixDatagram,
    path: OsString,
    _folder: TempDir,
}

impl Listener {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify").into_os_string();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path, _folder: folder }
    }

    fn service(&self, more: &[(&str, String)]) -> Service {
        service(&self.path, more)
    }

    /// All that was said since this was last asked. A datagram is there once it has been sent.
    fn heard(&self) -> Vec<String> {
        std::iter::from_fn(|| next(&self.socket)).collect()
    }
}

fn next(socket: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
}

fn service(socket: &OsStr, more: &[(&str, String)]) -> Service {
    Service::from_lookup(|name| match name {
        "NOTIFY_SOCKET" => Some(socket.to_owned()),
        _ => more.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()),
    })
}

#[test]
fn a_whole_life_is_heard() {
    let listener = Listener::new();
    let service = listener.service(&[]);
    service.status("waiting for the clock");
    service.ready();
    service.stopping();
    assert_eq!(listener.heard(), ["STATUS=waiting for the clock", "READY=1", "STOPPING=1"]);
}

#[test]
fn a_status_is_one_line_and_told_when_it_changes() {
    let listener = Listener::new();
    let service = listener.service(&[]);
    for text in ["idle", "idle", "web1: Accounts\nREADY=1", "idle"] {
        service.status(text);
    }
    assert_eq!(listener.heard(), ["STATUS=idle", "STATUS=web1: Accounts READY=1", "STATUS=idle"]);
}

#[test]
fn reloading_carries_the_time_of_a_clock_that_never_jumps() {
    let listener = Listener::new();
    let service = listener.service(&[]);
    let time = || {
        service.reloading();
        let heard = listener.heard().concat();
        let (word, time) = heard.split_once("\nMONOTONIC_USEC=").unwrap();
        assert_eq!(word, "RELOADING=1");
        time.parse::<u64>().unwrap()
    };
    let first = time();
    assert!(first > 0 && time() >= first);
    // What the kernel counts since it started includes this clock.
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!(first as f64 / 1e6 <= uptime + 1.0, "{first} {uptime}");
}

#[test]
fn the_watchdog_is_fed_no_more_often_than_it_needs() {
    let listener = Listener::new();
    let hour = |pid: u32| [("WATCHDOG_USEC", "3600000000".to_owned()), ("WATCHDOG_PID", pid.to_string())];
    let service = listener.service(&hour(std::process::id()));
    assert_eq!(service.watchdog_interval(), Some(Duration::from_secs(3600)));
    (0..1_000).for_each(|_| service.alive());
    assert_eq!(listener.heard(), ["WATCHDOG=1"]);
    // As if a third of the interval had passed.
    service.told.lock().unwrap().alive = Instant::now().checked_sub(Duration::from_secs(1200));
    service.alive();
    assert_eq!(listener.heard(), ["WATCHDOG=1"]);

    let frequent = listener.service(&[("WATCHDOG_USEC", "3".to_owned())]);
    let until = Instant::now() + Duration::from_micros(2);
    frequent.alive();
    while Instant::now() < until {}
    frequent.alive();
    assert_eq!(listener.heard(), ["WATCHDOG=1", "WATCHDOG=1"]);
}

#[test]
fn a_watchdog_that_is_not_meant_for_this_process_is_none() {
    let listener = Listener::new();
    let time = |text: &str| ("WATCHDOG_USEC", text.to_owned());
    for variables in [
        vec![],
        vec![time("0")],
        vec![time("soon")],
        vec![time("30000000"), ("WATCHDOG_PID", "1".to_owned())],
        vec![time("30000000"), ("WATCHDOG_PID", String::new())],
    ] {
        let service = listener.service(&variables);
        service.alive();
        assert_eq!((service.watchdog_interval(), listener.heard()), (None, vec![]), "{variables:?}");
    }
}

#[test]
fn a_name_in_the_abstract_namespace_is_reached() {
    let name = format!("jetbackup-remote-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_nonblocking(true).unwrap();
    service(format!("@{name}").as_ref(), &[]).ready();
    assert_eq!(next(&socket).as_deref(), Some("READY=1"));
}

#[test]
fn without_a_service_manager_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = folder.path().join("nobody");
    for socket in ["".as_ref(), "relative".as_ref(), "vsock:2:1".as_ref(), nobody.as_os_str()] {
        let service = service(socket, &[("WATCHDOG_USEC", "3000000".to_owned())]);
        service.ready();
        service.status("idle");
        service.reloading();
        service.alive();
        service.stopping();
    }
    let none = Service::from_lookup(|name| (name != "NOTIFY_SOCKET").then(|| "1".into()));
    assert_eq!(none.watchdog_interval(), None);
    none.ready();
}

#[test]
fn a_service_manager_that_does_not_read_holds_nobody_up_for_long() {
    let listener = Listener::new();
    let service = listener.service(&[]);
    // Its queue is full at some time; then a message is lost, and told again when there is room.
    let full = (0..100_000).find(|number| {
        service.status(&format!("job {number}"));
        service.told.lock().unwrap().status != format!("job {number}")
    });
    let lost = format!("job {}", full.expect("no queue is endless"));
    assert!(!listener.heard().is_empty());
    service.status(&lost);
    assert_eq!(listener.heard(), [format!("STATUS={lost}")]);
}
