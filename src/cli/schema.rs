//! `schema`.

use super::exit::{Exit, Failure};
use super::output::print;

pub(super) fn schema() -> Result<Exit, Failure> {
    print(&serde_json::to_string_pretty(&crate::config::json_schema())?)?;
    Ok(Exit::Done)
}
