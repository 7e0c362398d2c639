//! What an operator reads: tables of objects, one object line by line, a key's text alone on standard output.

use edgeway_core::admin::Answer;
use serde_json::{Map, Value};

use super::super::desk::printable;
use super::super::output::{Output, Paint, paint, table};

/// The columns of a list beside the id: a heading, and the member.
fn columns(collection: &str) -> &'static [(&'static str, &'static str)] {
    match collection {
        "applications" => {
            &[("TEAM", "team"), ("LIMITS", "limits"), ("BUDGETS", "budgets"), ("SUSPENDED", "suspended"), ("TITLE", "title")]
        }
        "users" => &[("ROLE", "role"), ("EMAIL", "email"), ("SUSPENDED", "suspended"), ("TITLE", "title")],
        "roles" => &[("PERMISSIONS", "permissions"), ("TITLE", "title")],
        "keys" => &[
            ("TEAM", "team"),
            ("APP", "application"),
            ("ROLE", "role"),
            ("EXPIRES", "expires"),
            ("REVOKED", "revoked"),
            ("LIMITS", "limits"),
            ("BUDGETS", "budgets"),
            ("TITLE", "title"),
        ],
        _ => &[("LIMITS", "limits"), ("BUDGETS", "budgets"), ("SUSPENDED", "suspended"), ("TITLE", "title")],
    }
}

/// A list.
pub(super) fn many(collection: &str, items: &[Value], output: &Output) {
    if items.is_empty() {
        return output.say(&format!("there are no {collection}\n"));
    }
    let columns = columns(collection);
    let mut rows = vec![[&["ID"][..], &columns.iter().map(|(heading, _)| *heading).collect::<Vec<_>>()].concat()];
    let cells: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            ["id"].into_iter().chain(columns.iter().map(|(_, member)| *member)).map(|member| short(&item[member])).collect()
        })
        .collect();
    let mut text: Vec<Vec<String>> = rows.drain(..).map(|row| row.into_iter().map(str::to_owned).collect()).collect();
    text.extend(cells);
    output.print(&table(output.colour, &text));
}

/// What came of asking for one object.
pub(super) fn one(path: &str, answer: &Answer, output: &Output) {
    let Value::Object(object) = answer.body() else { return output.say(&format!("{path} is gone\n")) };
    let mut object = object.clone();
    if let Some(Value::String(key)) = object.shift_remove("key") {
        let id = object.get("id").map(short).unwrap_or_default();
        output.say(&format!("key {id}; this is its text, and it is shown this once:\n"));
        return output.print(&format!("{key}\n"));
    }
    lines(&object, output);
}

fn lines(object: &Map<String, Value>, output: &Output) {
    let width = object.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in object {
        let shown = short(value);
        if !shown.is_empty() {
            output.print(&format!("{}  {shown}\n", paint(output.colour, Paint::Dim, &format!("{name:<width$}"))));
        }
    }
}

/// A value in a cell. What others wrote is shown without what a terminal would act on.
pub(in super::super) fn short(value: &Value) -> String {
    let text = match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(short).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", "),
        Value::Object(members) => match (members.get("amount"), members.get("per")) {
            (Some(amount), Some(per)) => format!("{}/{}", short(amount), short(per)),
            _ => {
                let usual =
                    |name: &str, value: &str| matches!((name, value), ("mode", "strict") | ("when_away", "closed") | (_, ""));
                let parts = members.iter().map(|(name, value)| (name, short(value))).filter(|(name, value)| !usual(name, value));
                parts.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("; ")
            }
        },
        number => number.to_string(),
    };
    printable(&text)
}
