//! Which of the numbered jobs a person means.

/// The numbers of `1,3-5`, `all` or `none`, each once and in order; they count from 1 to `count`.
///
/// # Errors
/// With what is wrong, for the person who typed it.
pub fn chosen(text: &str, count: usize) -> Result<Vec<usize>, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "all" => return Ok((1..=count).collect()),
        "none" => return Ok(Vec::new()),
        _ => {}
    }
    let number = |word: &str| -> Result<usize, String> {
        let number = word.trim().parse().ok().filter(|number| (1..=count).contains(number));
        number.ok_or_else(|| format!("{:?} is not a number from 1 to {count}", shown(word)))
    };
    let mut numbers = Vec::new();
    for part in text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('-') {
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                if from > to {
                    return Err(format!("{from}-{to} goes backwards"));
                }
                numbers.extend(from..=to);
            }
            None => numbers.push(number(part)?),
        }
    }
    if numbers.is_empty() {
        return Err("no number; type for example 1,3-5, or all, or none".into());
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// The priorities of `3=10, 4=-5`: numbers that are among `chosen`, each with its priority.
///
/// # Errors
/// With what is wrong, for the person who typed it.
pub fn priorities(text: &str, chosen: &[usize]) -> Result<Vec<(usize, i64)>, String> {
    let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let wrong = || format!("{:?} is not NUMBER=PRIORITY, as in 3=10", shown(part));
        let (number, priority) = part.split_once('=').ok_or_else(wrong)?;
        let number: usize = number.trim().parse().map_err(|_| wrong())?;
        let priority: i64 = priority.trim().parse().map_err(|_| wrong())?;
        if !chosen.contains(&number) {
            return Err(format!("job {number} is not among the chosen ones"));
        }
        Ok((number, priority))
    };
    parts.map(pair).collect()
}

/// The numbers as they can be typed: `1-3,5`.
pub(crate) fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run =
        |&(from, to): &(usize, usize)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    if runs.is_empty() { "none".into() } else { runs.iter().map(run).collect::<Vec<_>>().join(",") }
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_chosen_as_they_are_typed() {
        assert_eq!(chosen("1,3-5", 6).unwrap(), [1, 3, 4, 5]);
        assert_eq!(chosen(" 5 1 5,1-2 ", 6).unwrap(), [1, 2, 5]);
        assert_eq!(chosen("ALL", 3).unwrap(), [1, 2, 3]);
        assert_eq!(chosen("none", 3).unwrap(), [] as [usize; 0]);
        for wrong in ["", ",", "0", "7", "1-7", "5-1", "x", "1-", "-1", "1=2", "18446744073709551616"] {
            assert!(chosen(wrong, 6).is_err(), "{wrong}");
        }
    }

    #[test]
    fn priorities_are_of_chosen_jobs() {
        assert_eq!(priorities("3=10, 1=-5", &[1, 3]).unwrap(), [(3, 10), (1, -5)]);
        assert_eq!(priorities("", &[1]).unwrap(), []);
        for wrong in ["2=1", "1", "1=", "=1", "1=x"] {
            assert!(priorities(wrong, &[1, 3]).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn ranges_are_read_back(set in proptest::collection::btree_set(1_usize..50, 0..20)) {
            let numbers: Vec<usize> = set.into_iter().collect();
            prop_assert_eq!(chosen(&ranges(&numbers), 50).unwrap(), numbers);
        }

        #[test]
        fn no_text_breaks_the_readers(text in ".{0,40}", count in 0_usize..20) {
            if let Ok(numbers) = chosen(&text, count) {
                prop_assert!(numbers.iter().all(|number| (1..=count).contains(number)));
            }
            let _ = priorities(&text, &[1, 2]);
        }
    }
}
