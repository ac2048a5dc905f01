//! What a person is asked beside the jobs: servers, schedule, broker and mail.

use std::path::{Path, PathBuf};

use super::{Base, InitArgs, Talk};
use crate::cli::exit::Failure;
use crate::config;
use crate::schedule::Expression;
use crate::setup::{Answers, Asker as _, Broker, Host, Mail, NewServer, layout, read_secret};

/// Every night at two.
const USUAL_SCHEDULE: &str = "0 2 * * *";

/// A password, and the file it is kept in.
pub(super) struct Kept {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The servers that are named or asked for, each once and none that is configured already.
pub(super) fn servers(talk: &mut Talk, args: &InitArgs, base: &Base) -> Result<Vec<NewServer>, Failure> {
    let mut servers: Vec<NewServer> = Vec::new();
    for server in &args.servers {
        fits(base, &servers, server).map_err(Failure::Unusable)?;
        servers.push(server.clone());
    }
    let is_new = base.config().is_none();
    if !servers.is_empty() || !(talk.asks || is_new) {
        return Ok(servers);
    }
    if !talk.asks {
        return Err(Failure::Unusable("no server is named: give --server NAME=HOST[:PORT] for each".into()));
    }
    talk.tell(if is_new {
        "The servers with JetBackup, in the order of their turns, as in web1=web1.example.com or web1=192.0.2.1:51514."
    } else {
        "New servers, as in web3=web3.example.com; none: look for new jobs on those that are configured."
    })?;
    loop {
        let question = if servers.is_empty() { "Server" } else { "Next server (Enter: no more)" };
        let next = talk.console.ask_for(question, None, |answer| match answer {
            "" if servers.is_empty() && is_new => Err("at least one server is needed".into()),
            "" => Ok(None),
            text => {
                let server: NewServer =
                    text.parse().map_err(|error: crate::setup::PlaceError| error.to_string())?;
                fits(base, &servers, &server)?;
                Ok(Some(server))
            }
        })?;
        match next {
            Some(server) => servers.push(server),
            None => return Ok(servers),
        }
    }
}

fn fits(base: &Base, others: &[NewServer], server: &NewServer) -> Result<(), String> {
    let configured = base.config().is_some_and(|config| config.server(&server.name).is_some());
    if configured {
        return Err(format!("a server {} is configured already; give the new one another name", server.name));
    }
    if others.iter().any(|other| other.name == server.name) {
        return Err(format!("the name {} is given twice", server.name));
    }
    Ok(())
}

/// What the command line says of schedule, broker and mail; answers the passwords that are to be kept.
pub(super) fn from_flags(
    args: &InitArgs,
    base: &Base,
    path: &Path,
    answers: &mut Answers,
) -> Result<Vec<Kept>, Failure> {
    answers.schedule = match args.schedule.as_deref() {
        Some("none") => None,
        Some(text) => Some(text.to_owned()),
        None if base.config().is_none() => Some(USUAL_SCHEDULE.into()),
        None => None,
    };
    answers.broker = args.broker.as_ref().map(|place| Broker {
        place: place.clone(),
        user: args.broker_user.clone(),
        password_file: args.broker_password_file.as_ref().map(|_| mqtt_password(path)),
    });
    answers.mail = (!args.mail_to.is_empty()).then(|| Mail {
        server: args.smtp_host.clone(),
        user: args.smtp_user.clone(),
        password_file: args.smtp_password_file.as_ref().map(|_| smtp_password(path)),
        from: args.mail_from.clone().or_else(|| args.smtp_host.is_some().then(|| args.mail_to[0].clone())),
        to: args.mail_to.clone(),
    });
    let files =
        [(&args.broker_password_file, mqtt_password(path)), (&args.smtp_password_file, smtp_password(path))];
    let mut kept = Vec::new();
    for (file, place) in files {
        if let Some(file) = file {
            kept.push(Kept { path: place, text: read_secret(file)? });
        }
    }
    Ok(kept)
}

/// Asks for what the command line left open; answers the passwords that are to be kept.
pub(super) fn the_rest(
    talk: &mut Talk,
    args: &InitArgs,
    base: &Base,
    path: &Path,
    answers: &mut Answers,
) -> Result<Vec<Kept>, Failure> {
    let mut kept = Vec::new();
    if !talk.asks || base.config().is_some() {
        return Ok(kept);
    }
    talk.tell("")?;
    if args.schedule.is_none() {
        let question = "When shall the daemon start (five cron fields, local time; or none)?";
        answers.schedule = talk.console.ask_for(question, Some(USUAL_SCHEDULE), |answer| match answer {
            "none" => Ok(None),
            text => {
                text.parse::<Expression>().map(|_| Some(text.to_owned())).map_err(|error| error.to_string())
            }
        })?;
    }
    if answers.broker.is_none() {
        let password = until_valid(talk, base, path, answers, |talk, answers| {
            let (broker, password) = broker(talk, path)?;
            answers.broker = broker;
            Ok(password)
        })?;
        kept.extend(password);
    }
    if answers.mail.is_none() {
        let password = until_valid(talk, base, path, answers, |talk, answers| {
            let (mail, password) = mail(talk, path)?;
            answers.mail = mail;
            Ok(password)
        })?;
        kept.extend(password);
    }
    Ok(kept)
}

/// Asks again as long as the configuration would be wrong.
fn until_valid<T>(
    talk: &mut Talk,
    base: &Base,
    path: &Path,
    answers: &mut Answers,
    ask: impl Fn(&mut Talk, &mut Answers) -> Result<T, Failure>,
) -> Result<T, Failure> {
    loop {
        let asked = ask(talk, answers)?;
        match config::parse(&layout(&base.with(answers)), path) {
            Ok(_) => return Ok(asked),
            Err(error) => talk.tell(&format!("  {error}"))?,
        }
    }
}

fn broker(talk: &mut Talk, path: &Path) -> Result<(Option<Broker>, Option<Kept>), Failure> {
    let question = "MQTT broker for Home Assistant (HOST[:PORT], Enter: none)";
    let Some(place) = talk.console.ask_for(question, None, place)? else { return Ok((None, None)) };
    let (user, password) = login(talk, "the broker", mqtt_password(path))?;
    let password_file = password.as_ref().map(|kept| kept.path.clone());
    Ok((Some(Broker { place, user, password_file }), password))
}

fn mail(talk: &mut Talk, path: &Path) -> Result<(Option<Mail>, Option<Kept>), Failure> {
    let to = talk.console.ask("Mail about problems to (addresses with commas, Enter: none)", None)?;
    if to.is_empty() {
        return Ok((None, None));
    }
    let server = talk.console.ask_for("Mail server (HOST[:PORT])", Some("localhost:25"), place)?;
    let to: Vec<String> = to
        .split(',')
        .map(|address| address.trim().to_owned())
        .filter(|address| !address.is_empty())
        .collect();
    // Few mail servers take a sender at localhost.
    let from = talk.console.ask("Sender", to.first().map(String::as_str))?;
    let (user, password) = login(talk, "the mail server", smtp_password(path))?;
    let mail = Mail {
        server,
        user,
        password_file: password.as_ref().map(|kept| kept.path.clone()),
        from: Some(from).filter(|from| !from.is_empty()),
        to,
    };
    Ok((Some(mail), password))
}

fn login(talk: &mut Talk, of: &str, path: PathBuf) -> Result<(Option<String>, Option<Kept>), Failure> {
    let user = talk.console.ask(&format!("User of {of} (Enter: none)"), None)?;
    if user.is_empty() {
        return Ok((None, None));
    }
    let text = talk.console.ask_secret("Password (Enter: none)")?;
    Ok((Some(user), Some(Kept { path, text }).filter(|kept| !kept.text.is_empty())))
}

fn place(text: &str) -> Result<Option<Host>, String> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error: crate::setup::PlaceError| error.to_string()),
    }
}

fn mqtt_password(config: &Path) -> PathBuf {
    config.with_file_name("mqtt-password")
}

fn smtp_password(config: &Path) -> PathBuf {
    config.with_file_name("smtp-password")
}
