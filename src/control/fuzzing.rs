//! Foreign input of this room: see [`crate::fuzzing`].

use super::protocol::{self, Ask, read_news, read_reply, read_request};

/// A line that came over the socket, to either side. A request that is understood is the same when it is written anew;
/// a refusal is a text for whoever asked.
pub fn control(bytes: &[u8]) {
    match read_request(bytes) {
        Ok(ask) => {
            let again: Option<Result<Ask, String>> =
                protocol::request(&ask).ok().map(|line| read_request(&line));
            assert_eq!(again, Some(Ok(ask)));
        }
        Err(error) => assert!(!error.is_empty()),
    }
    let event = read_news(bytes).ok().and_then(|news| news.event);
    // What came from another process is shown: that must not fail on odd numbers and times.
    if let Some(mut snapshot) = read_reply(bytes).ok().and_then(|reply| reply.snapshot) {
        let _ = (snapshot.queue(), snapshot.jobs());
        if let Some(event) = &event {
            snapshot.apply(event);
            let _ = (snapshot.queue(), snapshot.jobs());
        }
    }
    if let Some(event) = &event {
        let _ = crate::words::sentence(event);
    }
}
