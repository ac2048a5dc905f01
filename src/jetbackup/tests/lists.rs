//! Lists are read to their end, or said to be incomplete.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Cause;
use super::*;

/// How a server pages: what it takes no notice of, and what it claims.
#[derive(Clone, Copy, Default)]
struct Manners {
    no_skip: bool,
    no_limit: bool,
    /// Never more rows than this, whatever the limit.
    most: Option<usize>,
    no_total: bool,
    /// The total is the number of rows in the page.
    counts_page: bool,
    /// Added to the total.
    lie: i64,
    numbered_object: bool,
}

/// The answer to a list request about `all`.
fn page_of(all: &[Value], command: &str, manners: Manners) -> Value {
    let number = |key| parameter(command, key).map(|text| text.parse::<usize>().unwrap());
    let skip = if manners.no_skip { 0 } else { number("skip").unwrap_or(0) };
    let limit = if manners.no_limit { usize::MAX } else { number("limit").unwrap_or(100) };
    let limit = limit.min(manners.most.unwrap_or(usize::MAX));
    let rows: Vec<_> = all.iter().skip(skip).take(limit).cloned().collect();
    let total = if manners.counts_page { rows.len() } else { all.len() } as i64 + manners.lie;
    let rows = if manners.numbered_object {
        rows.into_iter().enumerate().map(|(index, row)| (index.to_string(), row)).collect()
    } else {
        Value::from(rows)
    };
    if manners.no_total { json!({"groups": rows}) } else { json!({"groups": rows, "total": total}) }
}

/// Groups 1 to `count`, in an order that is neither of the two.
fn shuffled(count: u32) -> Vec<Value> {
    let mut all: Vec<_> = (1..=count).map(|number| group(number, 7, 100)).collect();
    all.sort_by_key(|group| group["created"].as_i64().map(|created| (created * 7919) % 1009));
    all
}

async fn read(count: u32, manners: Manners) -> Result<Vec<String>, Cause> {
    let all = shuffled(count);
    let (client, _) = scripted(move |command| success(page_of(&all, command, manners)));
    let groups = client.groups().await.map_err(|error| error.cause)?;
    Ok(groups.iter().map(|group| group.id.to_string()).collect())
}

fn newest_first(count: u32) -> Vec<String> {
    (1..=count).rev().map(id).collect()
}

#[tokio::test]
async fn every_server_that_gives_all_rows_is_read_completely() {
    let polite = Manners::default();
    let all_manners = [
        polite,
        Manners { no_limit: true, ..polite },
        Manners { no_limit: true, no_skip: true, ..polite },
        Manners { no_skip: true, ..polite },
        Manners { no_total: true, ..polite },
        Manners { no_total: true, no_limit: true, no_skip: true, ..polite },
        Manners { most: Some(30), ..polite },
        Manners { counts_page: true, ..polite },
        Manners { lie: -1, ..polite },
        Manners { numbered_object: true, ..polite },
    ];
    for (index, manners) in all_manners.into_iter().enumerate() {
        for count in [0, 1, 99, 100, 101, 200, 250] {
            let read = read(count, manners).await;
            assert!(matches!(&read, Ok(ids) if *ids == newest_first(count)), "{index} {count}: {read:?}");
        }
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_had_completely_is_an_error() {
    let polite = Manners::default();
    for (count, manners) in [
        (150, Manners { no_skip: true, most: Some(100), ..polite }),
        (150, Manners { lie: 3, ..polite }),
        (0, Manners { lie: 1, ..polite }),
        (20, Manners { lie: 1_000_000, ..polite }),
        (7_000, Manners { most: Some(20), ..polite }),
    ] {
        let read = read(count, manners).await;
        assert!(matches!(read, Err(Cause::Incomplete { .. })), "{count} {read:?}");
    }
}

#[tokio::test]
async fn few_rows_cost_one_request() {
    let (client, server) = scripted(|command| success(page_of(&shuffled(99), command, Manners::default())));
    client.groups().await.unwrap();
    assert_eq!(server.functions(), ["listQueueGroups"]);
}

#[tokio::test]
async fn what_leaves_the_list_while_it_is_read_hides_nothing() {
    // Between the first and the second page a group of the first is removed: the 101st moves to place 100.
    let calls = AtomicUsize::new(0);
    let (client, _) = scripted(move |command| {
        let mut all = shuffled(150);
        if calls.fetch_add(1, Ordering::Relaxed) > 0 {
            all.remove(5);
        }
        success(page_of(&all, command, Manners::default()))
    });
    assert_eq!(client.groups().await.unwrap().len(), 149);
}

#[tokio::test]
async fn a_list_that_never_holds_still_is_an_error() {
    let calls = AtomicUsize::new(0);
    let (client, server) = scripted(move |command| {
        let lie = calls.fetch_add(1, Ordering::Relaxed) as i64;
        success(page_of(&shuffled(150), command, Manners { lie, ..Manners::default() }))
    });
    assert!(matches!(client.groups().await.unwrap_err().cause, Cause::Incomplete { .. }));
    assert!(server.functions().len() < 10);
}

#[tokio::test]
async fn only_a_list_says_that_nothing_is_there() {
    for empty in [
        json!({"groups": [], "total": 0}),
        json!({"groups": {}, "total": "0"}),
        json!({"groups": null, "total": 0}),
        json!({"groups": "", "total": 0}),
        json!({"groups": []}),
        json!([]),
        json!({}),
    ] {
        let answer = empty.clone();
        let (client, _) = scripted(move |_| success(answer.clone()));
        assert_eq!(client.groups().await.unwrap(), [], "{empty}");
    }
    for odd in
        [json!(null), json!(""), json!(1), json!({"total": 3}), json!({"groups": 7}), json!({"jobs": []})]
    {
        let answer = odd.clone();
        let (client, _) = scripted(move |_| success(answer.clone()));
        let error = client.groups().await.unwrap_err();
        assert!(matches!(error.cause, Cause::Shape { .. }), "{odd}");
    }
}

#[tokio::test]
async fn rows_without_an_id_are_left_out() {
    let rows = json!([{"name": "?"}, null, group(1, 7, 2), {"_id": "short"}, group(1, 7, 2)]);
    let (client, _) = scripted(move |_| success(json!({"groups": rows, "total": 4})));
    assert_eq!(client.groups().await.unwrap().len(), 1);
}

proptest! {
    #[test]
    fn any_data_ends_in_a_list_or_an_error(data in any_json(), total in any_json()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for data in [data.clone(), json!({"groups": data, "total": total})] {
            let (client, server) = scripted(move |_| success(data.clone()));
            let _ = runtime.block_on(client.groups());
            prop_assert!(server.functions().len() < 10);
        }
    }

    #[test]
    fn any_manners_give_all_rows_or_an_error(
        count in 0_u32..320, no_skip: bool, no_limit: bool, no_total: bool, lie in 0_i64..3,
        most in prop::option::of(1_usize..150),
    ) {
        // A server that keeps rows back and does not say how many there are cannot be seen through.
        let no_skip = no_skip && !no_total;
        let manners = Manners { no_skip, no_limit, no_total, lie, most, ..Manners::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Ok(ids) = runtime.block_on(read(count, manners)) {
            prop_assert_eq!(ids, newest_first(count));
        }
    }
}
