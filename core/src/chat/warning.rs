//! What a translation could not carry, as data.
//!
//! Warnings reach the caller as the response header `x-edgeway-warnings`, a Structured Fields list
//! (RFC 9651) such as `dropped;at="logit_bias", moved;at="messages[3]";why="system text goes first"`,
//! and the operator in the request's record.

use std::borrow::Cow;
use std::fmt::Write;

/// What happened to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningCode {
    /// It was left out.
    Dropped,
    /// It was sent in another form that means nearly the same.
    Approximated,
    /// It was sent at another place.
    Moved,
    /// It was absent, the provider needs it, and the gateway filled it in.
    Filled,
}

impl WarningCode {
    /// Its name in the header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Approximated => "approximated",
            Self::Moved => "moved",
            Self::Filled => "filled",
        }
    }
}

/// One loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What happened.
    pub code: WarningCode,
    /// The field, as a path in the caller's protocol.
    pub at: String,
    /// Why, in a few words; may be empty.
    pub why: String,
}

/// All losses of one exchange. Holds at most 64; more of them become one last entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings(Vec<Warning>);

impl Warnings {
    const CAP: usize = 64;

    /// Notes a loss. The same loss is noted once.
    pub fn push(&mut self, code: WarningCode, at: impl Into<String>, why: impl Into<String>) {
        let warning = Warning { code, at: at.into(), why: why.into() };
        if self.0.len() < Self::CAP && !self.0.contains(&warning) {
            self.0.push(warning);
        } else if self.0.len() == Self::CAP {
            self.0.push(Warning { code: WarningCode::Dropped, at: "...".into(), why: "more".into() });
        }
    }

    /// Notes that a field was left out.
    pub fn dropped(&mut self, at: impl Into<String>, why: impl Into<String>) {
        self.push(WarningCode::Dropped, at, why);
    }

    /// Names each field anew: `name` gives the caller's own path of a parameter.
    pub fn rename(&mut self, name: impl for<'a> Fn(&'a str) -> Cow<'a, str>) {
        for warning in &mut self.0 {
            let own = name(&warning.at);
            if own != warning.at {
                warning.at = own.into_owned();
            }
        }
    }

    /// The losses, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Warning> {
        self.0.iter()
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The header's value: a Structured Fields list, ASCII, at most 4 KiB.
    pub fn header(&self) -> String {
        let mut header = String::new();
        for warning in &self.0 {
            let start = header.len();
            if start > 0 {
                header.push_str(", ");
            }
            let _ = write!(header, "{};at=\"{}\"", warning.code.name(), quoted(&warning.at));
            if !warning.why.is_empty() {
                let _ = write!(header, ";why=\"{}\"", quoted(&warning.why));
            }
            if header.len() > 4096 {
                header.truncate(start);
                break;
            }
        }
        header
    }
}

/// A structured-fields string's inside: printable ASCII, quotes and backslashes escaped, the rest `?`.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(200) {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push('?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_a_structured_fields_list() {
        let mut warnings = Warnings::default();
        warnings.dropped("logit_bias", "");
        warnings.push(WarningCode::Moved, "messages[3]", "say \"first\" – ok");
        warnings.dropped("logit_bias", "");
        assert_eq!(warnings.header(), r#"dropped;at="logit_bias", moved;at="messages[3]";why="say \"first\" ? ok""#);
    }

    #[test]
    fn the_list_is_capped() {
        let mut warnings = Warnings::default();
        (0..10_000).for_each(|n| warnings.dropped(format!("field{n}"), "x".repeat(100)));
        assert_eq!(warnings.iter().count(), Warnings::CAP + 1);
        assert!(warnings.header().len() <= 4096);
    }
}
