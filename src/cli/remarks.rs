//! What is odd on the servers, as a table.

use jiff::tz::TimeZone;

use super::table::{Cell, Column, Table};
use crate::model::{Remark, ServerName};
use crate::words::{Tone, moment_in};

/// The remarks on these servers; nothing where there are none.
pub(super) fn table(servers: &[(ServerName, Vec<Remark>)], zone: &TimeZone) -> Option<Table> {
    let mut table = Table::new([Column::left("Worth a look")]);
    let some = servers.iter().filter(|(_, remarks)| !remarks.is_empty());
    let mut is_empty = true;
    for (server, remarks) in some {
        table.row([Cell::toned(server.as_str(), Tone::Warn)]);
        for remark in remarks {
            let since = remark.since.map(|since| format!(" (since {})", moment_in(since, zone)));
            // Too long for a cell, and too important to be cut.
            table.note(&format!("{}{}", remark.text, since.unwrap_or_default()));
        }
        is_empty = false;
    }
    (!is_empty).then_some(table)
}
