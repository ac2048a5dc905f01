//! `destinations`: where the servers' jobs may write to, whether they can now, and how much room there is.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_error};
use super::table::{Cell, Column, Table};
use crate::config::Config;
use crate::jetbackup::{ApiError, Destination};
use crate::model::{DestinationId, ServerName};
use crate::words::{self, Tone};

#[derive(Debug, Serialize)]
struct Row {
    server: ServerName,
    destination_id: DestinationId,
    name: Option<String>,
    /// `null` where the server says nothing clear.
    disabled: Option<bool>,
    readonly: Option<bool>,
    /// Bytes, by JetBackup's last look.
    free: Option<u64>,
    total: Option<u64>,
    /// It is the server's `destination_id` in the configuration.
    configured: bool,
    /// The server has it; one that is configured and not there is listed too.
    found: bool,
}

#[derive(Debug, Serialize)]
struct Listing {
    destinations: Vec<Row>,
    errors: BTreeMap<ServerName, String>,
}

pub(super) fn destinations(path: &Path, verbose: u8, json: bool) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let servers = context::servers(&config, None)?;
    let _log = context::log_to_stderr(verbose);
    let lines = context::lines(&config, &servers)?;
    let answers = block_on(async {
        let answers = context::ask_all(&lines, |client| async move { client.destinations().await }).await;
        Ok(answers.into_iter().map(|(line, answer)| (line.name.clone(), answer)).collect::<Vec<_>>())
    })?;
    let listing = compare(&config, answers);
    if json {
        print(&serde_json::to_string_pretty(&listing)?)?;
    } else {
        print(table(&listing).for_stdout().trim_end())?;
        for error in listing.errors.values() {
            print_error(error);
        }
    }
    Ok(if listing.errors.is_empty() { Exit::Done } else { Exit::Incomplete })
}

fn compare(config: &Config, answers: Vec<(ServerName, Result<Vec<Destination>, ApiError>)>) -> Listing {
    let mut listing = Listing { destinations: Vec::new(), errors: BTreeMap::new() };
    for (server, answer) in answers {
        let configured = config.server(&server).and_then(|server| server.destination_id);
        let found = match answer {
            Ok(found) => found,
            Err(error) => {
                listing.errors.insert(server, told(&error));
                continue;
            }
        };
        let missing = configured.filter(|id| found.iter().all(|destination| destination.id != *id));
        listing.destinations.extend(found.into_iter().map(|destination| Row {
            server: server.clone(),
            destination_id: destination.id,
            name: destination.name,
            disabled: destination.disabled,
            readonly: destination.readonly,
            free: destination.free,
            total: destination.total,
            configured: configured == Some(destination.id),
            found: true,
        }));
        listing.destinations.extend(missing.map(|id| Row {
            server,
            destination_id: id,
            name: None,
            disabled: None,
            readonly: None,
            free: None,
            total: None,
            configured: true,
            found: false,
        }));
    }
    listing
}

fn told(error: &ApiError) -> String {
    if error.is_gate_refusal() {
        return format!(
            "{}: the SSH gate there does not show destinations; whoever owns the server can allow it by adding \
             `--allow destination` to the `command=` of this program's key in authorized_keys",
            error.server
        );
    }
    error.to_string()
}

fn table(listing: &Listing) -> Table {
    let mut table = Table::new([
        Column::left("Server").shrinks(2),
        Column::left("Destination id"),
        Column::left("Name").shrinks(1),
        Column::left("State"),
        Column::right("Free"),
        Column::right("Total"),
        Column::left("Used here"),
    ]);
    for row in &listing.destinations {
        let (state, tone) = state(row);
        table.row([
            Cell::from(row.server.as_str()),
            Cell::from(row.destination_id.to_string()),
            Cell::from(row.name.as_deref().map(words::clean)),
            Cell::toned(state, tone),
            Cell::from(row.free.map(words::size)),
            Cell::from(row.total.map(words::size)),
            Cell::from(row.configured.then(|| "configured".to_owned())),
        ]);
    }
    table
}

fn state(row: &Row) -> (String, Tone) {
    let (mut state, mut tone) = match row.disabled {
        _ if !row.found => ("NOT FOUND on the server", Tone::Bad),
        Some(true) => ("DISABLED", Tone::Warn),
        Some(false) => ("enabled", Tone::Good),
        None => ("unknown", Tone::Warn),
    };
    let both;
    if row.readonly == Some(true) {
        both = format!("{state}, read-only");
        (state, tone) = (&both, Tone::Warn);
    }
    (state.to_owned(), tone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::Paint;

    fn destination(number: u32, change: impl FnOnce(&mut Destination)) -> Destination {
        let mut destination = Destination {
            id: format!("{number:024x}").parse().unwrap(),
            name: Some(format!("nas {number}")),
            disabled: Some(false),
            readonly: Some(false),
            free: Some(1_500_000_000_000),
            total: Some(4_000_000_000_000),
            usage: None,
            disk_limit: None,
        };
        change(&mut destination);
        destination
    }

    fn config() -> Config {
        let text = r#"{"ssh_key": "/k", "servers": {
            "web1": {"host": "a.example.com", "destination_id": "000000000000000000000001"},
            "web2": {"host": "b.example.com", "destination_id": "000000000000000000000009"}
        }, "jobs": []}"#;
        crate::config::parse(text, "config.json".as_ref()).unwrap().config
    }

    #[test]
    fn every_destination_is_listed_with_its_state_and_the_configured_one_is_marked() {
        let answers = vec![
            (
                "web1".parse().unwrap(),
                Ok(vec![
                    destination(1, |_| ()),
                    destination(2, |destination| {
                        (destination.disabled, destination.free, destination.total) =
                            (Some(true), None, None);
                    }),
                    destination(3, |destination| destination.readonly = Some(true)),
                    destination(4, |destination| (destination.disabled, destination.name) = (None, None)),
                ]),
            ),
            ("web2".parse().unwrap(), Ok(Vec::new())),
        ];
        let text = table(&compare(&config(), answers)).render(120, Paint::PLAIN);
        let golden = "\
Server  Destination id            Name   State                      Free   Total  Used here
web1    000000000000000000000001  nas 1  enabled                  1.5 TB  4.0 TB  configured
web1    000000000000000000000002  nas 2  DISABLED
web1    000000000000000000000003  nas 3  enabled, read-only       1.5 TB  4.0 TB
web1    000000000000000000000004         unknown                  1.5 TB  4.0 TB
web2    000000000000000000000009         NOT FOUND on the server                  configured
";
        assert_eq!(text, golden, "\n{text}");
    }
}
