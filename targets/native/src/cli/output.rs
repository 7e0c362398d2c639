//! What the commands print: JSON for machines, tables and colours for people.
//!
//! Colours only go to a terminal, and not where `NO_COLOR` is set (no-color.org) or `TERM` is `dumb`.

use std::io::{IsTerminal, Write};

use edgeway_core::config::{Diagnostic, Severity};
use serde_json::{Value, json};

/// Where and how to print.
pub(super) struct Output {
    /// Whether to print JSON.
    pub(super) json: bool,
    /// Whether standard output takes colours.
    pub(super) colour: bool,
    /// Whether standard error takes colours.
    pub(super) error_colour: bool,
    /// Whether standard output is a terminal.
    pub(super) terminal: bool,
    /// Whether standard error is a terminal.
    pub(super) error_terminal: bool,
}

/// A colour or weight.
#[derive(Clone, Copy, Debug)]
pub(super) enum Paint {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Output {
    /// The process's standard streams.
    pub(super) fn standard(json: bool) -> Self {
        let allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let (terminal, error_terminal) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Self {
            json,
            colour: allowed && terminal && !json,
            error_colour: allowed && error_terminal && !json,
            terminal,
            error_terminal,
        }
    }

    /// Prints to standard output. A reader that went away (`| head`) is no error.
    pub(super) fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Prints a JSON value, for people to read too.
    pub(super) fn print_json(&self, value: &Value) {
        self.print(&format!("{value:#}\n"));
    }

    /// Prints to standard error.
    pub(super) fn say(&self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Says that something could not be done.
    pub(super) fn error(&self, message: &str) {
        match self.json {
            true => self.print_json(&json!({"error": message})),
            false => self.say(&format!("{}: {message}\n", paint(self.error_colour, Paint::Red, "error"))),
        }
    }

    /// Says what an operator should know, and goes on.
    pub(super) fn warn(&self, message: &str) {
        match self.json {
            true => self.say(&format!("{}\n", json!({"event": "warning", "message": message}))),
            false => self.say(&format!("{}: {message}\n", paint(self.error_colour, Paint::Yellow, "warning"))),
        }
    }

    /// Says what is wrong with a configuration.
    pub(super) fn diagnostics(&self, found: &[Diagnostic]) {
        match self.json {
            true => self.print_json(&json!({"diagnostics": found})),
            false => self.say(&self.rendered(found)),
        }
    }

    /// Diagnostics as a compiler prints them, with a count at the end. Empty for none.
    pub(super) fn rendered(&self, found: &[Diagnostic]) -> String {
        let plain = edgeway_core::config::render(found);
        if !self.error_colour {
            return plain;
        }
        let mut out = String::with_capacity(plain.len() + found.len() * 32);
        for line in plain.split_inclusive('\n') {
            let coloured = [(Severity::Error, "error: ", Paint::Red), (Severity::Warning, "warning: ", Paint::Yellow)]
                .into_iter()
                .find_map(|(_, label, colour)| line.strip_prefix(label).map(|rest| (label, colour, rest)));
            match coloured {
                Some((label, colour, rest)) => {
                    out.push_str(&paint(true, colour, label.trim_end()));
                    out.push(' ');
                    out.push_str(&paint(true, Paint::Bold, rest.trim_end()));
                    out.push('\n');
                }
                None if line.starts_with("  -->") || line.starts_with("   =") => {
                    out.push_str(&paint(true, Paint::Dim, line.trim_end()));
                    out.push('\n');
                }
                None => out.push_str(line),
            }
        }
        out
    }
}

/// A text in a colour, or as it is.
pub(super) fn paint(colour: bool, paint: Paint, text: &str) -> String {
    let code = match paint {
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Red => "31",
        Paint::Green => "32",
        Paint::Yellow => "33",
        Paint::Cyan => "36",
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Rows in columns as wide as their widest cell; the first row is the heading. Cells hold no colours.
pub(super) fn table(colour: bool, rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        let line = line.trim_end();
        out.push_str(&if index == 0 { paint(colour, Paint::Bold, line) } else { line.to_owned() });
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_straight_columns_and_no_trailing_blanks() {
        let rows = [
            vec!["NAME".to_owned(), "X".to_owned()],
            vec!["a".to_owned(), "bé".to_owned()],
            vec!["long-name".to_owned(), "c".to_owned()],
        ];
        assert_eq!(table(false, &rows), "NAME       X\na          bé\nlong-name  c\n");
        assert!(table(true, &rows).starts_with("\x1b[1mNAME"));
    }
}
