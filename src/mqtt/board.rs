//! What the broker keeps of us, as far as this connection has told it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::link::{Gone, Link};

/// What was last said on each retained topic, by its hash: the payloads themselves need not be kept.
#[derive(Debug, Default)]
pub(super) struct Board(HashMap<String, u64>);

impl Board {
    /// Says what is not said already.
    pub async fn tell(
        &mut self,
        link: &Link,
        messages: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<(), Gone> {
        for (topic, payload) in messages {
            let mut hasher = DefaultHasher::new();
            payload.hash(&mut hasher);
            let hash = hasher.finish();
            if self.0.get(&topic) != Some(&hash) {
                link.publish(&topic, payload, true).await?;
                self.0.insert(topic, hash);
            }
        }
        Ok(())
    }

    /// Everything is to be said again.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}
