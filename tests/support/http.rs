//! A small HTTP server that answers as it is told and remembers what it was sent.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long anything that must happen may take before the test is failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With this status.
    Status(u16),
    /// By pointing to this URL.
    Redirect(String),
    /// Not at all, until the other side gives up.
    Never,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and parameters.
    pub target: String,
    /// The header, its names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Its path.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// A parameter, as it was sent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.target.split_once('?')?.1.split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

struct Shared {
    /// What is answered to the first requests, and to every one after these.
    answers: Box<dyn Fn(usize) -> Answer + Send + Sync>,
    seen: Mutex<Vec<Request>>,
    changed: Condvar,
    closing: AtomicBool,
}

/// The server. Dropping it ends it.
pub struct HttpServer {
    port: u16,
    encrypted: bool,
    shared: Arc<Shared>,
}

impl HttpServer {
    /// One that answers each request by its number, counted from 0.
    pub fn start(answers: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(None, answers)
    }

    /// One that is content with everything.
    pub fn content() -> Self {
        Self::start(|_| Answer::Status(200))
    }

    /// The same over TLS, with this certificate and key.
    pub fn encrypted(certificate: &Path, key: &Path) -> Self {
        let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::serve(Some(Arc::new(config)), |_| Answer::Status(200))
    }

    fn serve(
        tls: Option<Arc<ServerConfig>>,
        answers: impl Fn(usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let encrypted = tls.is_some();
        let shared = Arc::new(Shared {
            answers: Box::new(answers),
            seen: Mutex::default(),
            changed: Condvar::new(),
            closing: AtomicBool::new(false),
        });
        let server = Self { port, encrypted, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.closing.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                thread::spawn(move || match tls {
                    None => shared.converse(stream),
                    Some(config) => {
                        shared.converse(StreamOwned::new(ServerConnection::new(config).unwrap(), stream))
                    }
                });
            }
        });
        server
    }

    /// The URL of something here.
    pub fn url(&self, target: &str) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://localhost:{}{target}", self.port)
    }

    /// What it was sent, in order.
    pub fn seen(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The paths of what it was sent, in order.
    pub fn paths(&self) -> Vec<String> {
        self.seen().iter().map(|request| request.path().to_owned()).collect()
    }

    /// Waits until it was sent so many requests.
    #[track_caller]
    pub fn wait(&self, requests: usize) -> Vec<Request> {
        let begun = Instant::now();
        let mut seen = self.shared.seen.lock().unwrap();
        while seen.len() < requests {
            let left = PATIENCE.checked_sub(begun.elapsed());
            let left = left.unwrap_or_else(|| panic!("{requests} requests never came: {seen:#?}"));
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
        seen.clone()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // So that it looks up from waiting for the next one.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    /// One request and its answer. Whoever hangs up or is not trusted has made none.
    fn converse(&self, stream: impl Read + Write) {
        let mut reader = BufReader::new(stream);
        let Some(request) = read(&mut reader) else { return };
        let number = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(request);
            self.changed.notify_all();
            seen.len() - 1
        };
        let (status, more) = match (self.answers)(number) {
            Answer::Status(status) => (status, String::new()),
            Answer::Redirect(url) => (302, format!("Location: {url}\r\n")),
            Answer::Never => {
                let _ = reader.read(&mut [0]);
                return;
            }
        };
        let answer =
            format!("HTTP/1.1 {status} Said\r\n{more}Content-Length: 2\r\nConnection: close\r\n\r\nOK");
        let stream = reader.get_mut();
        let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
    }
}

fn read(reader: &mut impl std::io::BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut request = Request { method, target, headers, body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
