//! Topic filters: which topics they take.

/// Whether a topic filter, with its wildcards, takes a topic.
pub fn takes(filter: &str, topic: &str) -> bool {
    // What a broker says of itself, below `$`, is never meant by a wildcard at the beginning.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(name)) if level == name => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::takes;

    /// The examples of the standard: MQTT 5.0, section 4.7.
    #[test]
    fn filters_take_what_the_standard_says() {
        for (filter, topic) in [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking"),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"),
            ("sport/#", "sport"),
            ("#", "sport/tennis"),
            ("sport/tennis/+", "sport/tennis/player1"),
            ("sport/+", "sport/"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("+/tennis/#", "sport/tennis/player1"),
            ("$SYS/#", "$SYS/monitor/Clients"),
            ("$SYS/monitor/+", "$SYS/monitor/Clients"),
        ] {
            assert!(takes(filter, topic), "{filter} takes {topic}");
        }
    }

    #[test]
    fn filters_take_nothing_else() {
        for (filter, topic) in [
            ("sport/tennis/+", "sport/tennis/player1/ranking"),
            ("sport/tennis", "sport/tennis/player1"),
            ("sport/tennis/player1", "sport/tennis"),
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("Sport", "sport"),
            ("#", "$SYS/monitor/Clients"),
            ("+/monitor/Clients", "$SYS/monitor/Clients"),
        ] {
            assert!(!takes(filter, topic), "{filter} does not take {topic}");
        }
    }
}
