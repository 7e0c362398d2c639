//! Compares JSON with what a case expects.
//!
//! An expected string may be a pattern: `{{any}}`, `{{string}}`, `{{number}}`, `{{absent}}` (the key must not be there),
//! `{{contains:text}}`, `{{starts:text}}`.
//!
//! Invariant: numbers compare by value (`1` is `1.0`), everything else exactly; keys have no order.

use serde_json::Value;

/// How much of an object must be named by the expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All of it: an unexpected key is a difference.
    Equal,
    /// What the expectation names; arrays still have equal lengths.
    Includes,
}

/// Every place where `actual` is not what was expected, as sentences.
pub fn differences(expected: &Value, actual: &Value, mode: Mode) -> Vec<String> {
    let mut found = Vec::new();
    compare(expected, Some(actual), mode, "$", &mut found);
    found
}

fn compare(expected: &Value, actual: Option<&Value>, mode: Mode, at: &str, found: &mut Vec<String>) {
    if let Some(pattern) = pattern(expected) {
        if let Err(wrong) = matches(pattern, actual) {
            found.push(format!("{at}: {wrong}"));
        }
        return;
    }
    let Some(actual) = actual else {
        found.push(format!("{at}: is missing, expected {}", short(expected)));
        return;
    };
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(got)) => {
            for (key, value) in wanted {
                compare(value, got.get(key), mode, &format!("{at}.{key}"), found);
            }
            if mode == Mode::Equal {
                for key in got.keys().filter(|key| !wanted.contains_key(*key)) {
                    found.push(format!("{at}.{key}: was not expected: {}", short(&got[key])));
                }
            }
        }
        (Value::Array(wanted), Value::Array(got)) => {
            if wanted.len() != got.len() {
                found.push(format!("{at}: has {} items, expected {}: {}", got.len(), wanted.len(), short(actual)));
            }
            for (index, (value, got)) in wanted.iter().zip(got).enumerate() {
                compare(value, Some(got), mode, &format!("{at}[{index}]"), found);
            }
        }
        (Value::Number(wanted), Value::Number(got)) if wanted.as_f64() == got.as_f64() => {}
        _ if expected == actual => {}
        _ => found.push(format!("{at}: is {}, expected {}", short(actual), short(expected))),
    }
}

fn pattern(expected: &Value) -> Option<&str> {
    expected.as_str()?.strip_prefix("{{")?.strip_suffix("}}")
}

fn matches(pattern: &str, actual: Option<&Value>) -> Result<(), String> {
    let says = |good: bool| {
        let actual = actual.map_or("missing".into(), short);
        if good { Ok(()) } else { Err(format!("is {actual}, expected {pattern}")) }
    };
    let text = actual.and_then(Value::as_str);
    match pattern.split_once(':') {
        Some(("contains", part)) => says(text.is_some_and(|text| text.contains(part))),
        Some(("starts", part)) => says(text.is_some_and(|text| text.starts_with(part))),
        _ => match pattern {
            "any" => says(actual.is_some()),
            "absent" => says(actual.is_none()),
            "string" => says(text.is_some_and(|text| !text.is_empty())),
            "number" => says(actual.is_some_and(Value::is_number)),
            unknown => Err(format!("the case uses the unknown pattern {{{{{unknown}}}}}")),
        },
    }
}

/// RFC 7396: how a case says what differs for one pair of protocols. `null` removes a key.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 300 { text } else { text.chars().take(300).chain("...".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subset_is_included_but_not_equal() {
        let actual = json!({"a": 1.0, "b": [{"c": "x", "d": null}]});
        assert!(differences(&json!({"a": 1, "b": [{"c": "x"}]}), &actual, Mode::Includes).is_empty());
        assert_eq!(differences(&json!({"a": 1, "b": [{"c": "x"}]}), &actual, Mode::Equal), ["$.b[0].d: was not expected: null"]);
        assert_eq!(differences(&json!({"b": []}), &actual, Mode::Includes).len(), 1);
        assert_eq!(differences(&json!({"z": 1}), &actual, Mode::Includes), ["$.z: is missing, expected 1"]);
    }

    #[test]
    fn patterns_match_what_they_say() {
        let actual = json!({"id": "msg_1", "n": 3});
        let good = json!({"id": "{{starts:msg_}}", "n": "{{number}}", "x": "{{absent}}"});
        assert!(differences(&good, &actual, Mode::Equal).is_empty());
        assert_eq!(differences(&json!({"id": "{{absent}}", "n": "{{string}}"}), &actual, Mode::Equal).len(), 2);
        assert_eq!(differences(&json!({"id": "{{nonsense}}"}), &actual, Mode::Includes).len(), 1);
    }

    #[test]
    fn a_patch_changes_adds_and_removes() {
        let mut value = json!({"a": {"b": 1, "c": 2}, "d": 3});
        merge(&mut value, &json!({"a": {"b": null, "e": 5}, "d": [1]}));
        assert_eq!(value, json!({"a": {"c": 2, "e": 5}, "d": [1]}));
    }
}
