//! What all list functions have in common: `find`, `sort`, `skip`, `limit` and `total`.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::params::Params;

/// How many rows come back unless `limit` says otherwise.
const DEFAULT_LIMIT: usize = 100;

/// `{"<name>":[rows],"total":N}`, where `total` counts what was found before `skip` and `limit`.
pub(crate) fn page(name: &str, rows: Vec<Value>, params: &Params) -> Value {
    let mut rows: Vec<_> = rows.into_iter().filter(|row| found(row, params)).collect();
    // Nobody promises an order, so nobody shall rely on one.
    rows.sort_by_cached_key(|row| scatter(&text(field(row, "_id"))));
    for (key, direction) in params.map("sort").collect::<Vec<_>>().into_iter().rev() {
        rows.sort_by(|a, b| {
            let order = compare(field(a, key), field(b, key));
            if direction == "-1" { order.reverse() } else { order }
        });
    }
    let total = rows.len();
    let number = |key| params.get(key).and_then(|value| value.parse::<usize>().ok());
    let rows: Vec<_> = rows
        .into_iter()
        .skip(number("skip").unwrap_or(0))
        .take(number("limit").unwrap_or(DEFAULT_LIMIT))
        .collect();
    json!({name: rows, "total": total})
}

/// The same for rows that are costly to write: where `brief` has what they are sorted by and nothing is searched for,
/// only those of the page are written out by `full`.
pub(crate) fn long_page<T>(
    name: &str,
    items: Vec<T>,
    brief: impl Fn(&T) -> Value,
    full: impl Fn(&T) -> Value,
    params: &Params,
) -> Value {
    let is_brief = |key: &str| items.first().is_none_or(|item| !field(&brief(item), key).is_null());
    if params.map("find").next().is_some() || !params.map("sort").all(|(key, _)| is_brief(key)) {
        return page(name, items.iter().map(full).collect(), params);
    }
    let number_of = "number of the item";
    let numbered = items.iter().enumerate().map(|(number, item)| {
        let mut row = brief(item);
        row[number_of] = json!(number);
        row
    });
    let mut found = page(name, numbered.collect(), params);
    for row in found[name].as_array_mut().into_iter().flatten() {
        let item = row[number_of].as_u64().and_then(|number| items.get(usize::try_from(number).ok()?));
        *row = item.map_or(Value::Null, &full);
    }
    found
}

fn found(row: &Value, params: &Params) -> bool {
    params.map("find").all(|(path, wanted)| text(field(row, path)) == wanted)
}

/// The value at a dotted path.
fn field<'a>(row: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(row, |value, key| &value[key])
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => i32::from(*flag).to_string(),
        other => other.to_string(),
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => text(a).cmp(&text(b)),
    }
}

/// A number without any relation to the order of ids.
fn scatter(id: &str) -> u64 {
    id.bytes().rev().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Value> {
        (0..250).map(|n| json!({"_id": format!("{n:024x}"), "n": n, "info": {"ID": n % 2}})).collect()
    }

    fn ask(params: &str) -> Value {
        page("rows", rows(), &Params::parse(params))
    }

    #[test]
    fn a_page_has_a_hundred_rows_in_no_particular_order() {
        let page = ask("");
        let numbers: Vec<_> =
            page["rows"].as_array().unwrap().iter().map(|row| row["n"].as_i64().unwrap()).collect();
        assert_eq!(numbers.len(), 100);
        assert_eq!(page["total"], 250);
        assert!(!numbers.is_sorted());
        assert!(!numbers.iter().rev().is_sorted());
    }

    #[test]
    fn rows_are_found_sorted_and_skipped() {
        let page = ask("find[info.ID]=1&sort[n]=-1&skip=2&limit=2");
        assert_eq!(page["total"], 125);
        assert_eq!(page["rows"][0]["n"], 245);
        assert_eq!(page["rows"][1]["n"], 243);
        assert_eq!(page["rows"][2], Value::Null);
    }
}
