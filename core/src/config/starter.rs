//! Writes the starter file of `edgeway init`: every field in a comment, with what it does.
//!
//! Lines that begin with `# ` are prose; those with `#` alone are TOML to uncomment. Uncommenting all of it gives a valid
//! document.

use std::fmt::Write as _;

use super::document::Document;
use super::reference::{paragraph, toml};
use super::shape::{Field, Kind, Section};

const HEAD: &str = "\
# Edgeway's configuration. Everything here is optional, and everything is commented out: what you see are the defaults, or
# examples. Lines with `# ` explain, lines with `#` alone are to uncomment. `edgeway check` reports everything that is wrong.
#
# Keys of providers are read from variables (OPENAI_API_KEY, ANTHROPIC_API_KEY, ...) and never stand in this file. Each value can be
# given as a variable too: EDGEWAY__ROUTES__CHAT__TIMEOUT=20s is `timeout` of [routes.chat].
";

/// What the tables with names of the operator's choice are called here.
const NAMES: [(&str, &str); 5] =
    [("providers", "example"), ("models", "fast"), ("routes", "chat"), ("limits", "keys"), ("budgets", "teams")];

/// Fields left out because a simpler one beside them says the same.
const LEFT_OUT: [(&str, &str); 2] = [("providers", "speaks"), ("models", "targets")];

/// The longest line of prose.
const WIDTH: usize = 110;

/// The starter file.
pub fn starter() -> String {
    let mut out = HEAD.to_owned();
    for field in Document::SECTION.fields {
        out.push('\n');
        match field.kind {
            Kind::Section(section) => table(&mut out, field.name, field.name, section),
            Kind::Map(Kind::Section(section)) => {
                let name = NAMES.iter().find(|(table, _)| *table == field.name).map_or("example", |(_, name)| name);
                table(&mut out, field.name, &format!("{}.{name}", field.name), section);
            }
            _ => {}
        }
    }
    out
}

fn table(out: &mut String, name: &str, header: &str, section: &Section) {
    prose(out, &paragraph(section.about));
    let _ = writeln!(out, "#[{header}]");
    for field in section.fields {
        if LEFT_OUT.contains(&(name, field.name)) {
            continue;
        }
        if let Some(value) = value(field) {
            prose(out, &paragraph(field.doc));
            let _ = writeln!(out, "#{} = {value}", field.name);
        }
    }
}

fn value(field: &Field) -> Option<String> {
    match (field.example, field.default) {
        (Some(example), _) => Some(example.to_owned()),
        (None, Some(default)) => Some(toml(field.kind, default)),
        (None, None) => None,
    }
}

fn prose(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}
