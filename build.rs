//! Tells the program when it was built: a clock that is behind that has not been set.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // Whoever wants the same binary twice says when it is built (reproducible-builds.org).
    let built = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => match seconds.trim().parse::<u64>() {
            Ok(seconds) => seconds,
            Err(_) => {
                println!("cargo::error=SOURCE_DATE_EPOCH is {seconds:?}, but should be seconds since 1970");
                return;
            }
        },
        // Before 1970 no clock is set, and any date is plausible.
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    };
    println!("cargo::rustc-env=JETBACKUP_REMOTE_BUILT={built}");
}
