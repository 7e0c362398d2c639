//! How a built-in row is written: constructors that are `const`, so that the table costs nothing at start.

use std::borrow::Cow;
use std::mem::{forget, replace};

use crate::provider::{Credential, Provider, Quirks, Speaks};

/// Where a row speaks which dialect: `speaks![OpenAiChat "https://..", AnthropicMessages "https://.."]`.
macro_rules! speaks {
    ($($dialect:ident $url:literal),+ $(,)?) => {
        &[$(crate::provider::Speaks {
            dialect: crate::dialect::DialectId::$dialect,
            base_url: std::borrow::Cow::Borrowed($url),
        }),+]
    };
}

/// A list of names: `names!["A", "B"]`.
macro_rules! names {
    ($($name:literal),* $(,)?) => { &[$(std::borrow::Cow::Borrowed($name)),*] };
}

pub(super) use {names, speaks};

type Names = &'static [Cow<'static, str>];

/// A provider on the internet, signed as each of its dialects signs.
pub(super) const fn hosted(
    name: &'static str,
    title: &'static str,
    speaks: &'static [Speaks],
    key_names: Names,
    source: &'static str,
) -> Provider {
    Provider {
        name: Cow::Borrowed(name),
        title: Cow::Borrowed(title),
        speaks: Cow::Borrowed(speaks),
        credential: Credential::Native,
        key_names: Cow::Borrowed(key_names),
        owns: Cow::Borrowed(&[]),
        local: false,
        quirks: Quirks::NONE,
        source: Cow::Borrowed(source),
        note: None,
    }
}

/// A server of the operator's own, at its default address. Its key is optional.
pub(super) const fn local(
    name: &'static str,
    title: &'static str,
    speaks: &'static [Speaks],
    key_names: Names,
    source: &'static str,
) -> Provider {
    let mut row = hosted(name, title, speaks, key_names, source);
    row.local = true;
    row
}

// A replaced field is forgotten rather than dropped, because constants run no destructors; what is
// forgotten borrows static data and holds nothing.
impl Provider {
    /// Takes a bearer token in every dialect.
    pub(super) const fn bearer(self) -> Self {
        self.signed(Credential::Bearer)
    }

    /// Is signed so.
    pub(super) const fn signed(mut self, credential: Credential) -> Self {
        forget(replace(&mut self.credential, credential));
        self
    }

    /// Owns bare model names that begin so.
    pub(super) const fn owning(mut self, prefixes: Names) -> Self {
        forget(replace(&mut self.owns, Cow::Borrowed(prefixes)));
        self
    }

    /// Comes with this note for the operator.
    pub(super) const fn noted(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Does these things differently.
    pub(super) const fn with(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }
}
