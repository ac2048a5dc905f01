//! The command line of `jetbackup5api` and its `-D` parameters.

/// What was asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub function: Option<String>,
    pub params: Params,
    pub json: bool,
}

impl Request {
    /// Reads the arguments after the program's name. Of several `-D` only the last counts, so that parameters get lost
    /// as they do in reality.
    pub fn parse<S: AsRef<str>>(arguments: &[S]) -> Self {
        let mut request = Self::default();
        let mut arguments = arguments.iter().map(AsRef::as_ref);
        while let Some(option) = arguments.next() {
            let Some(value) = arguments.next() else { break };
            match option {
                "-F" | "--func" => request.function = Some(value.to_owned()),
                "-D" | "--data" => request.params = Params::parse(value),
                "-O" | "--output" => request.json = value == "json",
                _ => {}
            }
        }
        request
    }
}

/// Decoded parameters in the order given.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Params(pub Vec<(String, String)>);

impl Params {
    /// Reads `k=v&k2=v2`, percent-decoding keys and values.
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(decode_pair).collect())
    }

    /// The value of `key`; of several the last one, as PHP does it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The entries of a map parameter: `("info.ID", "...")` for `find[info.ID]=...`.
    pub fn map<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(key, value)| {
            let key = key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            Some((key, value.as_str()))
        })
    }
}

fn decode_pair((key, value): (&str, &str)) -> (String, String) {
    (percent_decode(key), percent_decode(value))
}

/// Turns `%XX` into bytes and `+` into a space; anything else, malformed escapes included, stands for itself.
fn percent_decode(text: &str) -> String {
    let mut bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let [byte, rest @ ..] = bytes {
        let escaped = match rest {
            [high, low, tail @ ..] if *byte == b'%' => hex(*high).zip(hex(*low)).map(|pair| (pair, tail)),
            _ => None,
        };
        let value;
        (value, bytes) = match escaped {
            Some(((high, low), tail)) => (high << 4 | low, tail),
            None if *byte == b'+' => (b' ', rest),
            None => (*byte, rest),
        };
        decoded.push(value);
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_and_keys_are_percent_decoded() {
        let params = Params::parse("_id=ab&name=a%20b%2Bc+d&find%5Binfo.ID%5D=%zz%4&flag");
        assert_eq!(params.get("_id"), Some("ab"));
        assert_eq!(params.get("name"), Some("a b+c d"));
        assert_eq!(params.map("find").collect::<Vec<_>>(), [("info.ID", "%zz%4")]);
        assert_eq!(params.get("flag"), Some(""));
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_comes_back(value in ".*", noise in ".*") {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let params = Params::parse(&format!("a=1&v={encoded}"));
            prop_assert_eq!(params.get("v"), Some(value.as_str()));
            Params::parse(&noise);
        }
    }

    #[test]
    fn of_several_data_options_only_the_last_counts() {
        let request = Request::parse(&["-F", "getBackupJob", "-D", "_id=1", "-D", "x=2", "-O", "json"]);
        assert_eq!(request.params.get("_id"), None);
        assert_eq!(request.params.get("x"), Some("2"));
        assert!(request.json);
    }

    #[test]
    fn without_an_output_format_the_answer_is_plain() {
        assert!(!Request::parse(&["-F", "getInfo"]).json);
        assert_eq!(Request::parse::<&str>(&[]).function, None);
    }
}
