//! `notify test`: whether people are reached.

use std::path::Path;

use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_error, print_warning};
use crate::notify::{self, Mailer};

pub(super) fn test(path: &Path, verbose: u8) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let wanted = &config.notification;
    let _log = context::log_to_stderr(verbose);
    if wanted.to_addresses.is_empty() {
        return Err(Failure::Unknown("notification.to_addresses names nobody to send a mail to".into()));
    }
    if !wanted.enabled {
        print_warning("notification.enabled is false: beside this test no mail is sent");
    }
    block_on(async {
        let mailer = Mailer::new(wanted)?;
        let letter = notify::test_letter();
        let mut session = mailer.open().await?;
        let receipt = session.send(&letter, &wanted.to_addresses).await?;
        session.close().await;
        let refused = |address: &String| receipt.refused.iter().find(|refused| refused.address == *address);
        for address in &wanted.to_addresses {
            match refused(address) {
                None => print(&format!("{address}: taken by {}: {}", mailer.server(), receipt.answer))?,
                Some(refused) => print_error(&format!("{address}: not taken: {}", refused.answer)),
            }
        }
        Ok(if receipt.refused.is_empty() { Exit::Done } else { Exit::CouldNotStart })
    })
}
