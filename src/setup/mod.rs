//! Setting up: from what a person answers to the files that the program starts from.
//!
//! `document` makes the configuration, `layout` prints it, `bundle` is the gate's installation as one shell script,
//! `place` reads hosts and ports, `choice` which jobs are meant, `ask` is the conversation, `files` puts things on
//! disk with the right owner. This room must know no network and no server: what the servers say is brought to it.

mod ask;
mod bundle;
mod choice;
mod document;
mod files;
mod found;
mod layout;
mod place;

pub use ask::{Asker, Console};
pub use bundle::{Allow, Order, bundle, shell_word};
pub(crate) use choice::ranges;
pub use choice::{chosen, priorities};
pub use document::{Answers, Broker, Mail, NewJob, NewServer, document, extended};
pub use files::{
    FileError, Owner, back_up, ensure_key, ensure_state_dir, read_secret, service_owner, write_config,
    write_secret,
};
pub use found::{Found, labels, word_of_type};
pub use layout::layout;
pub use place::{Host, PlaceError};
