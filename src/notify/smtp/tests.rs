use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::model::CycleId;
use crate::notify::Tag;

fn letter(subject: &str) -> Letter {
    Letter {
        id: "18c.0001".into(),
        date: Timestamp::UNIX_EPOCH,
        thread: Some(CycleId(255)),
        tag: Tag::Failed,
        subject: subject.into(),
        text: "Text\n".into(),
        html: "<p>Text</p>".into(),
    }
}

fn written(subject: &str) -> String {
    let from = mailbox("from_address", "Copias <pi@example.com>").unwrap();
    let to = mailbox("to_addresses", "me@example.com").unwrap();
    String::from_utf8(write(&letter(subject), &from, &[to]).unwrap()).unwrap()
}

#[test]
fn a_mail_says_what_it_is_and_where_it_belongs() {
    let mail = written("Accounts on web1 failed");
    for header in [
        "From: Copias <pi@example.com>\r\n",
        "To: me@example.com\r\n",
        "Subject: [jetbackup-remote] FAILED: Accounts on web1 failed\r\n",
        "Message-ID: <18c.0001@example.com>\r\n",
        "References: <cycle-ff@example.com>\r\n",
        "In-Reply-To: <cycle-ff@example.com>\r\n",
        "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "MIME-Version: 1.0\r\n",
    ] {
        assert!(mail.contains(header), "{header} is missing:\n{mail}");
    }
}

#[test]
fn addresses_are_read_as_the_configuration_takes_them() {
    let read = |text| mailbox("to_addresses", text).map(|mailbox| (mailbox.name, mailbox.email.to_string()));
    assert_eq!(
        read("\"Doe, Jo\" <jo@example.com>").unwrap(),
        (Some("Doe, Jo".into()), "jo@example.com".into())
    );
    assert_eq!(read("root@localhost").unwrap(), (None, "root@localhost".into()));
    assert!(read("nobody").unwrap_err().to_string().contains("notification.to_addresses"));
}

/// A server on a thread that says these lines, each after it has heard one (a text counts as one), some of them late.
fn scripted(script: &'static [(&'static str, u64)]) -> u16 {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for (answer, late) in script {
            std::thread::sleep(Duration::from_millis(*late));
            if write!(stream, "{answer}\r\n").is_err() {
                return;
            }
            let in_text = answer.starts_with("354");
            while let Some(Ok(line)) = lines.next() {
                if !in_text || line == "." {
                    break;
                }
            }
        }
    });
    port
}

fn mailer(port: u16, limit: Duration) -> Mailer {
    let text = format!(
        r#"{{"ssh_key": "/key", "servers": {{"a": {{"host": "a.example.com"}}}}, "jobs": [],
            "notification": {{"smtp_host": "127.0.0.1", "smtp_port": {port}, "from_address": "pi@example.com",
            "to_addresses": "me@example.com"}}}}"#
    );
    let config = crate::config::parse(&text, "config.json".as_ref()).unwrap().config;
    Mailer { limit, ..Mailer::new(&config.notification).unwrap() }
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_that_to_the_next_letter() {
    let port = scripted(&[
        ("220 hello", 0),
        ("250 hello", 0),
        ("250 sender", 0),
        ("250 recipient", 0),
        ("354 go on", 0),
        ("250 taken, but late", 500),
        ("250 sender", 0),
        ("250 recipient", 0),
        ("354 go on", 0),
        ("552 the second is too large", 0),
    ]);
    let to = ["me@example.com".to_owned()];
    let mut session = mailer(port, Duration::from_millis(200)).open().await.unwrap();
    let late = session.send(&letter("first"), &to).await.unwrap_err();
    assert!(matches!(late, MailError::Silent { .. }), "{late}");
    assert!(session.is_broken());
    tokio::time::sleep(Duration::from_millis(500)).await;
    session.send(&letter("second"), &to).await.unwrap_err();
}

#[tokio::test]
async fn only_a_word_that_it_was_taken_counts() {
    let port = scripted(&[
        ("220 hello", 0),
        ("250 hello", 0),
        ("250 sender", 0),
        ("250 recipient", 0),
        ("250 what?", 0),
    ]);
    let mut session = mailer(port, HANDING_OVER).open().await.unwrap();
    let to = ["me@example.com".to_owned()];
    let error = session.send(&letter("first"), &to).await.unwrap_err();
    assert!(
        error.to_string().contains("before the text: the answer makes no sense here: 250 what?"),
        "{error}"
    );
    assert!(session.is_broken());
}

#[tokio::test]
async fn what_went_wrong_is_said_once() {
    // Free now, and nobody takes it within a moment.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Err(error) = mailer(port, HANDING_OVER).open().await else { panic!("somebody is there") };
    let expected = format!(
        "mail server 127.0.0.1:{port}: connecting: Connection refused (os error 111); is a mail server running there?"
    );
    assert_eq!(error.to_string(), expected);
    let port = scripted(&[("554 5.7.1 go away", 0)]);
    let Err(error) = mailer(port, HANDING_OVER).open().await else { panic!("it lets us in") };
    assert_eq!(error.to_string(), format!("mail server 127.0.0.1:{port}: connecting: 554 5.7.1 go away"));
}

proptest! {
    #[test]
    fn no_label_adds_a_header(subject in any::<String>()) {
        let mail = written(&subject);
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let names: Vec<&str> = unfolded.split("\r\n").filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
        let wanted = ["From", "Subject", "Message-ID", "Date", "To", "In-Reply-To", "References", "MIME-Version", "Content-Type", "Auto-Submitted", "X-Auto-Response-Suppress"];
        let mut names = names;
        names.sort_unstable();
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        prop_assert_eq!(names, wanted);
        prop_assert!(mail.is_ascii());
    }
}
