#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The outside watcher and the webhook are told over real HTTP, in order and by their conventions; whatever they do, no
//! backup waits for them and no URL is shown.

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/mod.rs"]
mod support;

mod told;
mod trouble;

use serde_json::{Value, json};

use crate::farm::Farm;

/// A token in a URL, which is never shown.
const TOKEN: &str = "s3cr3t-t0k3n";

/// Has the farm's program tell somebody outside, without mail.
fn tell(farm: &mut Farm, key: &'static str, url: String) {
    farm.change(move |config| {
        if config["notification"] == Value::Null {
            config["notification"] = json!({});
        }
        config["notification"][key] = url.clone().into();
    });
}
