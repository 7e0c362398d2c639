//! What an operator reads: changes value by value, versions as a table, mistakes as a compiler shows them.

use edgeway_core::config::{Diagnostic, Origin, STORED, Severity};
use serde_json::Value;

use super::super::desk::{detail, printable};
use super::super::output::{Output, Paint, paint, table};

/// What the administration calls a document that has no version yet.
const UNNAMED: &str = "document";

/// A push or a rollback that was done, or would be.
pub(super) fn changed(body: &Value, file: &str, output: &Output) {
    output.say(&output.rendered(&diagnostics(body, file)));
    changes(body, output);
    let (version, previous) = (number(&body["version"]), number(&body["previous"]));
    let line = if body["changed"] == true {
        let seen = body["everywhere_within_seconds"].as_f64().unwrap_or(0.0);
        let done = paint(output.colour, Paint::Green, &format!("version {version} is current"));
        format!("{done} (was {previous}); every gateway has it within {seen} s\n")
    } else if body["dry_run"] == true {
        format!("{} nothing was changed; version {version} is current\n", paint(output.colour, Paint::Bold, "dry run:"))
    } else {
        format!("nothing to change: version {version} is this document\n")
    };
    output.print(&line);
}

/// What a document would change.
pub(super) fn difference(body: &Value, file: &str, output: &Output) {
    output.say(&output.rendered(&diagnostics(body, file)));
    if body["ok"] == false {
        return;
    }
    if list(&body["changes"]).is_empty() {
        return output.print("no value changes\n");
    }
    changes(body, output);
}

fn changes(body: &Value, output: &Output) {
    let changes = list(&body["changes"]);
    let width = changes.iter().map(|change| text(&change["path"]).chars().count()).max().unwrap_or(0);
    for change in changes {
        let (sign, colour) = match (&change["before"], &change["after"]) {
            (Value::Null, _) => ("+", Paint::Green),
            (_, Value::Null) => ("-", Paint::Red),
            _ => ("~", Paint::Yellow),
        };
        let side = |leaf: &Value| match leaf {
            Value::Null => paint(output.colour, Paint::Dim, "the default"),
            leaf => format!("{} {}", leaf["value"], paint(output.colour, Paint::Dim, &format!("({})", place(&leaf["origin"])))),
        };
        let path = text(&change["path"]);
        output.print(&format!(
            "  {} {path:<width$}  {} -> {}\n",
            paint(output.colour, colour, sign),
            side(&change["before"]),
            side(&change["after"]),
        ));
    }
}

/// The versions that are kept.
pub(super) fn history(body: &Value, output: &Output) {
    let versions = list(&body["versions"]);
    if versions.is_empty() {
        return output.say("nothing is stored; file and environment are the configuration\n");
    }
    let mut rows = vec![["VERSION", "WHEN", "BY", "DOCUMENT", "NOTE"].map(str::to_owned).to_vec()];
    for (index, entry) in versions.iter().enumerate() {
        let version = format!("{}{}", number(&entry["version"]), if index == 0 { " *" } else { "" });
        rows.push(vec![
            version,
            moment(entry),
            text(&entry["by"]),
            text(&entry["digest"]).chars().take(12).collect(),
            text(&entry["note"]),
        ]);
    }
    output.print(&table(output.colour, &rows));
    output.say(&paint(
        output.error_colour,
        Paint::Dim,
        "* is current. `edgeway config show VERSION` prints one, `rollback VERSION` brings it back.\n",
    ));
}

/// The stored document itself, and on standard error whose it is.
pub(super) fn document(body: &Value, output: &Output) {
    // A single version is the entry itself; the current one has it inside.
    let entry = if body["current"].is_object() { &body["current"] } else { body };
    refused(body, output);
    let Some(document) = body["document"].as_str() else {
        let line = match number(&body["version"]) {
            0 => "nothing is stored; file and environment are the configuration\n".to_owned(),
            version => format!("version {version} is current, and the store does not have its document (yet)\n"),
        };
        return output.say(&line);
    };
    let note = text(&entry["note"]);
    let note = if note.is_empty() { note } else { format!(": {note}") };
    let line = format!("# version {}, set by {} at {}{note}\n", number(&entry["version"]), text(&entry["by"]), moment(entry));
    output.say(&paint(output.error_colour, Paint::Dim, &line));
    match output.terminal {
        true => output.print(&document.split_inclusive('\n').map(shown).collect::<String>()),
        false => output.print(document),
    }
    if !document.ends_with('\n') && !document.is_empty() {
        output.print("\n");
    }
}

/// Every value that is set.
pub(super) fn values(body: &Value, output: &Output) {
    refused(body, output);
    let mut rows = vec![["VALUE", "IS", "FROM"].map(str::to_owned).to_vec()];
    rows.extend(
        list(&body["values"]).iter().map(|leaf| vec![text(&leaf["path"]), leaf["value"].to_string(), place(&leaf["origin"])]),
    );
    output.print(&table(output.colour, &rows));
}

/// A version that is current and not served.
fn refused(body: &Value, output: &Output) {
    if body["refused"].is_object() {
        let serving = match number(&body["serving"]["version"]) {
            0 => "file and environment".to_owned(),
            version => format!("version {version}"),
        };
        output.warn(&format!("the gateway serves {serving}, because {}", text(&body["refused"]["why"])));
        output.say(&output.rendered(&diagnostics(&body["refused"], UNNAMED)));
    }
}

/// Why it could not be done.
pub(super) fn problem(body: &Value, file: &str, output: &Output) {
    output.say(&output.rendered(&diagnostics(body, file)));
    output.error(&detail(body));
}

fn diagnostics(body: &Value, file: &str) -> Vec<Diagnostic> {
    list(&body["diagnostics"]).iter().map(|found| diagnostic(found, file)).collect()
}

fn diagnostic(found: &Value, file: &str) -> Diagnostic {
    let origin = &found["origin"];
    let (layer, source) = (text(&origin["layer"]), text(&origin["source"]));
    let source = if layer == STORED && source == UNNAMED { file.to_owned() } else { source };
    let place = |name: &str| u32::try_from(number(&origin[name])).unwrap_or(0);
    Diagnostic {
        path: text(&found["path"]),
        severity: if found["severity"] == "error" { Severity::Error } else { Severity::Warning },
        message: text(&found["message"]),
        help: text(&found["help"]),
        origin: Origin { layer: layer.into(), source: source.into(), line: place("line"), column: place("column") },
    }
}

/// Where a value is from: `edgeway.toml:3:1`, a variable, `stored`.
fn place(origin: &Value) -> String {
    let (layer, source) = (text(&origin["layer"]), text(&origin["source"]));
    match (layer.as_str(), source.as_str()) {
        (STORED, UNNAMED) => STORED.to_owned(),
        (_, "") => layer,
        (STORED, version) => format!("{STORED}, {version}"),
        (_, source) => match number(&origin["line"]) {
            0 => source.to_owned(),
            line => format!("{source}:{line}"),
        },
    }
}

pub(in crate::cli) fn moment(entry: &Value) -> String {
    let at = text(&entry["at"]);
    at.split_once('.').map_or(at.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

pub(in crate::cli) fn text(value: &Value) -> String {
    printable(value.as_str().unwrap_or_default())
}

/// A line of a document, line end included.
fn shown(line: &str) -> String {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    printable(&text.replace('\t', "    ")) + end
}
