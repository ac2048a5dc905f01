//! Who is not looking is told here: mail, a ping for an outside watcher, a webhook.
//!
//! `letter` is what a mail says, before anybody is to get it. This room sees events and what is on record. It must
//! know neither servers nor how a run works, and nothing in it can hold up the queue.

mod desk;
mod letter;
mod life;
mod note;
mod policy;
mod render;
mod smtp;

pub use letter::{Letter, Tag};
