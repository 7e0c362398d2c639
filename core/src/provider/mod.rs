//! Providers: where to send and how to sign.
//!
//! A provider is a row of data ([`Provider`]). The built-in ones are in [`catalog`]; a custom one in
//! the configuration is the same row. Only what a row cannot say gets a file ([`demo`]).
//!
//! Invariant: nothing outside this folder asks which provider it is; it asks the row.

pub mod catalog;
pub mod credential;
pub mod demo;
mod quirks;

use std::borrow::Cow;

pub use quirks::{MaxTokensField, Quirks};

use crate::dialect::DialectId;

/// A provider's row. Built-in rows are `const`; strings of configured ones are owned.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in `provider/model`: lower case, `[a-z0-9-]`.
    pub name: Cow<'static, str>,
    /// Its name for people.
    pub title: Cow<'static, str>,
    /// Where it is, for each dialect that it speaks natively, most native first.
    pub speaks: Cow<'static, [Speaks]>,
    /// How requests are signed.
    pub credential: Credential,
    /// Names of the environment bindings that may hold its key, first wins. Empty when it needs none.
    pub key_names: Cow<'static, [Cow<'static, str>]>,
    /// Prefixes of bare model names that this provider owns (`gpt-`, `claude-`). No two providers share one.
    pub owns: Cow<'static, [Cow<'static, str>]>,
    /// Whether it runs on the operator's own machine or network (addresses that are not public are allowed).
    pub local: bool,
    /// What it does differently.
    pub quirks: Quirks,
    /// Where these facts come from.
    pub source: Cow<'static, str>,
    /// What an operator should know before turning it on: that it has closed, say. Most have nothing.
    pub note: Option<&'static str>,
}

/// A dialect and where the provider speaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaks {
    /// The dialect.
    pub dialect: DialectId,
    /// The URL to which [`Dialect::path`](crate::dialect::Dialect::path) is appended; no trailing slash.
    pub base_url: Cow<'static, str>,
}

/// How requests are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    None,
    /// As the dialect of the request does it: `Authorization: Bearer` (OpenAI), `x-api-key` (Anthropic), `x-goog-api-key` (Gemini).
    Native,
    /// `Authorization: Bearer`.
    Bearer,
    /// The key as this header's value.
    Header(Cow<'static, str>),
}

impl Provider {
    /// Where the provider speaks `dialect`, if it does.
    pub fn base_url(&self, dialect: DialectId) -> Option<&str> {
        self.speaks.iter().find(|speaks| speaks.dialect == dialect).map(|speaks| speaks.base_url.as_ref())
    }

    /// The dialect in which to send a request that came in `caller`'s: the same if the provider speaks it, else its most native one.
    pub fn dialect_for(&self, caller: DialectId) -> DialectId {
        match self.base_url(caller) {
            Some(_) => caller,
            None => self.speaks.first().map_or(DialectId::OpenAiChat, |speaks| speaks.dialect),
        }
    }
}

/// The guide's Rust is compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/add-a-provider.md")]
struct AddAProvider;
