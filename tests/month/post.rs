//! A mail server: it takes every letter, and remembers it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::tide::Tide;

/// A letter that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What stands before the `@` of its `Message-ID`.
    pub id: String,
    pub subject: String,
}

/// What the server was given. It outlives the program.
#[derive(Clone, Default)]
pub struct Post(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    taken: Vec<Taken>,
    /// So many letters are put off before one is taken.
    busy: u32,
}

impl Post {
    pub fn taken(&self) -> Vec<Taken> {
        self.0.lock().unwrap().taken.clone()
    }

    /// Has it put off so many letters.
    pub fn put_off(&self, letters: u32) {
        self.0.lock().unwrap().busy = letters;
    }

    /// Serves in the runtime that this is called in.
    pub async fn serve(&self, tide: &Tide) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (post, tide) = (self.clone(), tide.clone());
        tokio::spawn(async move {
            while let Ok((visitor, _)) = listener.accept().await {
                tide.moved();
                let (post, tide) = (post.clone(), tide.clone());
                // Whoever hangs up in the middle has handed over nothing.
                tokio::spawn(async move { post.attend(visitor, &tide).await });
            }
        });
        address
    }

    async fn attend(&self, visitor: TcpStream, tide: &Tide) -> std::io::Result<()> {
        visitor.set_nodelay(true)?;
        let mut visitor = BufReader::new(visitor);
        visitor.write_all(b"220 month\r\n").await?;
        let mut line = String::new();
        loop {
            line.clear();
            if visitor.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            tide.moved();
            let answer = match line.split([' ', '\r']).next().unwrap_or_default() {
                "EHLO" => "250-month\r\n250 8BITMIME",
                "DATA" if self.puts_off() => "451 busy",
                "DATA" => {
                    visitor.write_all(b"354 go on\r\n").await?;
                    let mut letter = String::new();
                    while !letter.ends_with("\r\n.\r\n") {
                        if visitor.read_line(&mut letter).await? == 0 {
                            return Ok(());
                        }
                    }
                    self.0.lock().unwrap().taken.push(read(&letter));
                    "250 taken"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            visitor.write_all(format!("{answer}\r\n").as_bytes()).await?;
            tide.moved();
        }
    }

    fn puts_off(&self) -> bool {
        let mut inner = self.0.lock().unwrap();
        let busy = inner.busy > 0;
        inner.busy = inner.busy.saturating_sub(1);
        busy
    }
}

fn read(letter: &str) -> Taken {
    let header = |name: &str| {
        let unfolded = letter.replace("\r\n ", " ");
        let line = unfolded.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in {letter}"))
    };
    let id = header("Message-ID: <");
    Taken { id: id.split('@').next().unwrap().to_owned(), subject: header("Subject: ") }
}
