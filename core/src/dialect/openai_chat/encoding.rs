//! One request on its way to a provider: the target, and where losses are noted.
//!
//! Invariant: whatever an encoder leaves out goes through here, as a warning or as a refusal.

use std::fmt;

use super::DIALECT;
use crate::chat::{CacheControl, Extra, Signature, Text, WarningCode, Warnings};
use crate::dialect::Target;
use crate::error::Error;
use crate::wire::json::At;
use crate::wire::json_writer::Object;

/// One request under way: its target, and where losses are noted.
pub(super) struct Encoding<'t, 'w> {
    pub(super) target: Target<'t>,
    pub(super) warnings: &'w mut Warnings,
}

impl Encoding<'_, '_> {
    /// The refusal of what the provider cannot take and what cannot be left out. `what` follows the path.
    pub(super) fn refuse(&self, at: At<'_>, what: impl fmt::Display) -> Error {
        let provider = self.target.provider;
        let message = format!("`{at}` {what}; {provider} cannot take that. Leave it out, or choose a model whose provider can.");
        Error::unsupported(at.to_string(), message)
    }

    /// Notes a loss.
    pub(super) fn dropped(&mut self, at: At<'_>, why: &str) {
        self.warnings.dropped(at.to_string(), why);
    }

    /// Notes a change of form.
    pub(super) fn approximated(&mut self, at: At<'_>, why: &str) {
        self.warnings.push(WarningCode::Approximated, at.to_string(), why);
    }

    /// Notes a change of place.
    pub(super) fn moved(&mut self, at: At<'_>, why: &str) {
        self.warnings.push(WarningCode::Moved, at.to_string(), why);
    }

    /// Whether a cache marker will be written.
    pub(super) fn keeps_cache(&self, cache: &Option<CacheControl>) -> bool {
        cache.is_some() && self.target.quirks.cache_control
    }

    /// Whether a part's fields hold OpenAI's own cache marker and it goes as it came: not to providers
    /// that go by Anthropic's.
    pub(super) fn keeps_breakpoint(&self, extra: &Extra) -> bool {
        extra.field(DIALECT, BREAKPOINT).is_some() && !self.target.quirks.cache_control
    }

    /// Writes a cache marker, or notes once that prefixes are cached without. `extra` of the same part
    /// may hold it in OpenAI's own words.
    pub(super) fn cache(&mut self, object: &mut Object<'_>, cache: &Option<CacheControl>, extra: &Extra) {
        let Some(cache) = cache.as_ref().filter(|_| !self.keeps_breakpoint(extra)) else { return };
        if !self.target.quirks.cache_control {
            return self.cache_is_lost();
        }
        let mut wire = object.object("cache_control");
        wire.field("type", "ephemeral");
        wire.some("ttl", &cache.ttl);
    }

    /// Notes once that cache markers have no place here.
    pub(super) fn cache_is_lost(&mut self) {
        self.warnings.dropped("cache_control", "the provider chooses what it caches");
    }

    /// Writes the fields of this dialect that `extra` holds, but for those of `written`; the others are lost.
    pub(super) fn extra(&mut self, object: &mut Object<'_>, extra: &Extra, at: At<'_>, written: &[&str]) {
        for (key, value) in extra.fields(DIALECT).filter(|(key, _)| !written.contains(&key.as_str())) {
            if key != BREAKPOINT || self.keeps_breakpoint(extra) {
                object.field(key, value);
            }
        }
        self.foreign(extra, at);
    }

    /// Notes all fields of `extra`.
    pub(super) fn extra_is_lost(&mut self, extra: &Extra, at: At<'_>) {
        let lost = extra.fields(DIALECT).filter(|(key, _)| *key != BREAKPOINT);
        lost.for_each(|(key, _)| self.dropped(at.field(key), "no field for it here"));
        self.foreign(extra, at);
    }

    fn foreign(&mut self, extra: &Extra, at: At<'_>) {
        for (dialect, key) in extra.foreign_to(DIALECT) {
            self.warnings.dropped(at.field(key).to_string(), format!("a field of {}", dialect.name()));
        }
    }

    /// Notes that reasoning that another dialect signed goes no further. Signatures of what goes on are no
    /// loss: nobody else can check them.
    pub(super) fn signature(&mut self, signature: &Option<Signature>, at: At<'_>) {
        if let Some(signature) = signature.as_ref().filter(|signature| signature.dialect != DIALECT) {
            self.warnings.dropped(at.to_string(), format!("signed by {}", signature.dialect.name()));
        }
    }

    /// Notes what a text loses when it becomes part of a plain string.
    pub(super) fn text_is_bare(&mut self, text: &Text, at: At<'_>) {
        if text.cache.is_some() {
            self.cache_is_lost();
        }
        self.extra_is_lost(&text.extra, at);
    }
}

/// OpenAI's own cache marker.
pub(super) const BREAKPOINT: &str = "prompt_cache_breakpoint";
