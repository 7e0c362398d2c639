//! `edgeway providers`: every known provider, whether it is on, and why.

use edgeway_core::config::{Availability, ProviderEntry};
use serde_json::{Value, json};

use super::configuration::Ready;
use super::output::{Output, Paint, paint, table};

pub(super) fn run(ready: &Ready, output: &Output) {
    let mut entries: Vec<&ProviderEntry> = ready.resolved.config.providers.values().map(AsRef::as_ref).collect();
    entries.sort_by_key(|entry| !entry.enabled); // stable: by name within
    if output.json {
        let rows = entries.iter().map(|entry| {
            json!({
                "name": entry.row.name,
                "title": entry.row.title,
                "on": entry.enabled,
                "why": why(entry, &ready.resolved.available),
                "dialects": entry.row.speaks.iter().map(|speaks| speaks.dialect.name()).collect::<Vec<_>>(),
                "base_urls": entry.row.speaks.iter().map(|speaks| speaks.base_url.as_ref()).collect::<Vec<_>>(),
                "key_names": entry.row.key_names,
                "key": entry.key,
                "local": entry.row.local,
                "models": entry.models,
                "note": entry.row.note,
            })
        });
        return output.print_json(&Value::Array(rows.collect()));
    }
    let mut rows = vec![["PROVIDER", "STATE", "WHY", "SPEAKS"].map(str::to_owned).to_vec()];
    rows.extend(entries.iter().map(|entry| {
        let mut speaks: Vec<&str> = entry.row.speaks.iter().map(|speaks| speaks.dialect.name()).collect();
        speaks.dedup();
        let state = if entry.enabled { "on" } else { "off" };
        let why = why(entry, &ready.resolved.available);
        let why = entry.row.note.map_or_else(|| why.clone(), |note| format!("{why} ({note})"));
        vec![entry.row.name.to_string(), state.to_owned(), why, speaks.join(", ")]
    }));
    output.print(&table(output.colour, &rows));
    let on = entries.iter().filter(|entry| entry.enabled).count();
    output.say(&paint(output.error_colour, Paint::Dim, &format!("{on} of {} on.\n", entries.len())));
}

/// What turned a provider on, or what it needs.
pub(super) fn why(entry: &ProviderEntry, available: &Availability) -> String {
    let name = entry.row.name.as_ref();
    let needs_key = !entry.row.key_names.is_empty();
    match (&entry.key, entry.enabled) {
        (Some(key), true) if available.secrets.contains(key) => format!("{key} is set"),
        (_, true) if available.reachable.contains(name) => "it answers".to_owned(),
        (_, true) if entry.row.speaks.is_empty() => "built in".to_owned(),
        (_, true) if needs_key => "the configuration says so".to_owned(),
        (_, true) => "needs no key".to_owned(),
        (Some(key), false) if !available.secrets.contains(key) => format!("set {key}"),
        (_, false) if entry.row.local => format!("local; add [providers.{name}] to use it"),
        (_, false) if needs_key && entry.row.key_names.iter().any(|key| available.secrets.contains(key.as_ref())) => {
            "the configuration says so".to_owned()
        }
        (_, false) if needs_key => format!("set {}", entry.row.key_names.join(" or ")),
        (_, false) => "the configuration says so".to_owned(),
    }
}
