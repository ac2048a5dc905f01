//! Handing over one letter: every way in, and every refusal.

use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::farm::{Farm, Ran, brief};
use crate::server::MailServer;

/// `notify test` with these settings.
fn notify(notification: Value) -> Ran {
    let mut farm = Farm::new([vec![brief()]]);
    farm.change(move |config| config["notification"] = notification.clone());
    farm.call(&["notify", "test"])
}

fn with(mut notification: Value, more: Value) -> Value {
    let Value::Object(more) = more else { unreachable!() };
    more.into_iter().for_each(|(key, value)| notification[key] = value);
    notification
}

#[test]
fn a_plain_server_takes_a_letter_and_its_answer_is_shown() {
    let server = MailServer::start();
    let ran = notify(with(
        server.notification(),
        json!({"to_addresses": "admin@example.com, Ñandú <two@example.com>"}),
    ));
    ran.ended_with(0).says("admin@example.com: taken by localhost:").says("250 2.0.0 Ok: queued as 4F1");
    let letter = server.wait(1).remove(0);
    assert_eq!(letter["from"], "pi@example.com");
    assert_eq!(letter["to"], json!(["admin@example.com", "two@example.com"]));
    assert_eq!(letter["defects"], json!([]));
    let headers = &letter["headers"];
    assert_eq!(headers["Subject"], "[jetbackup-remote] OK: a test");
    assert_eq!(headers["From"], "Copias <pi@example.com>");
    assert_eq!(headers["To"], "admin@example.com, Ñandú <two@example.com>");
    assert_eq!(headers["Auto-Submitted"], "auto-generated");
    assert!(headers["Message-ID"].as_str().unwrap().ends_with("@example.com>"), "{headers}");
    for part in ["text", "html"] {
        assert!(letter[part].as_str().unwrap().contains("notify test"), "{letter}");
    }
}

#[test]
fn starttls_and_tls_log_in_with_a_password() {
    let authority = Authority::new("authority");
    for security in ["starttls", "tls"] {
        let server = MailServer::secure(security, &authority, "here");
        let way = json!({
            "smtp_security": security, "smtp_user": "pi", "smtp_password": "gehëim",
            "smtp_ca_file": authority.file("authority.pem"),
        });
        notify(with(server.notification(), way.clone())).ended_with(0);
        let letter = server.wait(1).remove(0);
        assert_eq!((&letter["user"], &letter["tls"]), (&json!("pi"), &json!(true)), "{security}");

        let wrong = with(with(server.notification(), way.clone()), json!({"smtp_password": "hunter2"}));
        let ran = notify(wrong).ended_with(1);
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
        ran.says("logging in").says("check notification.smtp_user and notification.smtp_password");

        let stranger = Authority::new("stranger");
        let distrust = json!({"smtp_ca_file": stranger.file("authority.pem")});
        let ran = notify(with(with(server.notification(), way.clone()), distrust)).ended_with(1);
        ran.says("the certificate is not trusted").says("notification.smtp_ca_file");
        assert_eq!(server.letters().len(), 1);
    }
}

#[test]
fn the_predecessors_flag_means_starttls() {
    let authority = Authority::new("authority");
    let server = MailServer::secure("starttls", &authority, "here");
    let way = json!({
        "smtp_tls": true, "smtp_user": "pi", "smtp_password": "gehëim",
        "smtp_ca_file": authority.file("authority.pem"),
    });
    notify(with(server.notification(), way)).ended_with(0);
    assert_eq!(server.wait(1)[0]["tls"], true);
}

#[test]
fn a_certificate_of_another_name_is_not_trusted() {
    let authority = Authority::new("authority");
    let server = MailServer::secure("tls", &authority, "elsewhere");
    let way = json!({"smtp_security": "tls", "smtp_ca_file": authority.file("authority.pem")});
    notify(with(server.notification(), way)).ended_with(1).says("certificate");
    assert_eq!(server.letters().len(), 0);
}

#[test]
fn a_server_without_starttls_is_told_of_and_nothing_is_sent_in_the_clear() {
    let server = MailServer::start();
    let ran = notify(with(server.notification(), json!({"smtp_security": "starttls"}))).ended_with(1);
    ran.says("STARTTLS").says("notification.smtp_security");
    assert_eq!(server.letters().len(), 0);
}

#[test]
fn one_recipient_that_is_refused_does_not_cost_the_others_their_letter() {
    let mut server = MailServer::start();
    server.set(json!({"refuse": {"gone@example.com": "550 5.1.1 No such user"}}));
    let to = json!({"to_addresses": ["gone@example.com", "admin@example.com"]});
    let ran = notify(with(server.notification(), to)).ended_with(1);
    ran.says("admin@example.com: taken by").says("gone@example.com: not taken: ").says("No such user");
    assert_eq!(server.wait(1)[0]["to"], json!(["admin@example.com"]));
}

#[test]
fn a_server_that_refuses_everything_is_quoted() {
    let mut server = MailServer::start();
    server.set(json!({"refuse": {"admin@example.com": "554 5.7.1 Relay access denied"}}));
    notify(server.notification()).ended_with(1).says("for every recipient").says("Relay access denied");
    server.set(json!({"refuse": {}, "data": "552 5.3.4 Message too big"}));
    notify(server.notification()).ended_with(1).says("after the text").says("Message too big");
}

#[test]
fn a_server_that_is_down_or_says_nothing_is_named() {
    let server = MailServer::absent();
    notify(server.notification()).ended_with(1).says("connecting").says("is a mail server running there?");
    let mut server = MailServer::start();
    server.set(json!({"hang": "greeting"}));
    notify(server.notification()).ended_with(1).says("connecting: no answer within");
}

#[test]
fn nobody_to_write_to_and_mail_that_is_off_are_told() {
    let server = MailServer::start();
    notify(json!({})).ended_with(1).says("notification.to_addresses names nobody");
    notify(with(server.notification(), json!({"enabled": false}))).ended_with(0).says("no mail is sent");
    server.wait(1);
}
