//! `validate`: everything that is wrong with the configuration at once, else what it amounts to.

use std::path::Path;

use super::exit::Exit;
use super::output::{print, print_error, print_warning};
use crate::config::{self, ConfigError};

pub(super) fn validate(path: &Path) -> Exit {
    let exit = match config::load(path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                print_warning(&warning.to_string());
            }
            print(config::summary(&loaded.config).trim_end()).map(|()| Exit::Done)
        }
        Err(error) => {
            if let ConfigError::Invalid { warnings, .. } = &error {
                for warning in warnings {
                    print_warning(&warning.to_string());
                }
            }
            print_error(&error.to_string());
            Ok(Exit::CouldNotStart)
        }
    };
    exit.unwrap_or(Exit::CouldNotStart)
}
