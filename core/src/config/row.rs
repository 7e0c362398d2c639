//! A provider's row: the built-in one with the document's changes, or one that the document makes.
//!
//! Total: a section that [`super::check`] refuses still makes a row, which nobody will use.

use std::borrow::Cow;

use super::address::{Reach, reach};
use super::document::{CredentialChoice, ProviderSection, QuirksSection};
use crate::dialect::DialectId;
use crate::provider::{Credential, Provider, Quirks, Speaks};

/// The row of the provider `name`.
pub(super) fn row(name: &str, built_in: Option<&Provider>, section: Option<&ProviderSection>) -> Provider {
    let mut row = built_in.cloned().unwrap_or_else(|| custom(name));
    let Some(section) = section else { return row };
    if let Some(title) = &section.title {
        row.title = Cow::Owned(title.clone());
    }
    if let Some(speaks) = speaks(built_in, section) {
        row.speaks = Cow::Owned(speaks);
        row.local = row.speaks.iter().any(|speaks| reach(&speaks.base_url) == Reach::Own);
    }
    if let Some(key) = &section.key {
        row.key_names = Cow::Owned(vec![Cow::Owned(key.as_str().to_owned())]);
    }
    if let Some(credential) = &section.credential {
        row.credential = match credential {
            CredentialChoice::Native => Credential::Native,
            CredentialChoice::Bearer => Credential::Bearer,
            CredentialChoice::None => Credential::None,
            CredentialChoice::Header(choice) => Credential::Header(Cow::Owned(choice.header.to_ascii_lowercase())),
        };
    }
    if let Some(owns) = &section.owns {
        row.owns = owns.iter().map(|prefix| Cow::Owned(prefix.clone())).collect();
    }
    if let Some(local) = section.local {
        row.local = local;
    }
    if let Some(changes) = &section.quirks {
        change(&mut row.quirks, changes);
    }
    row
}

fn custom(name: &str) -> Provider {
    Provider {
        name: Cow::Owned(name.to_owned()),
        title: Cow::Owned(name.to_owned()),
        speaks: Cow::Borrowed(&[]),
        credential: Credential::Native,
        key_names: Cow::Borrowed(&[]),
        owns: Cow::Borrowed(&[]),
        local: false,
        quirks: Quirks::NONE,
        source: Cow::Borrowed("the configuration"),
        note: None,
    }
}

/// Where the provider speaks what, if the section says anything of it.
fn speaks(built_in: Option<&Provider>, section: &ProviderSection) -> Option<Vec<Speaks>> {
    if let Some(all) = &section.speaks {
        return Some(all.iter().map(|one| Speaks { dialect: one.dialect, base_url: trimmed(&one.base_url) }).collect());
    }
    let native: &[Speaks] = built_in.map_or(&[], |row| &row.speaks);
    match (&section.base_url, &section.dialects) {
        (Some(base_url), Some(dialects)) => {
            Some(dialects.iter().map(|dialect| Speaks { dialect: *dialect, base_url: trimmed(base_url) }).collect())
        }
        (Some(base_url), None) => {
            Some(kept_dialects(native).into_iter().map(|dialect| Speaks { dialect, base_url: trimmed(base_url) }).collect())
        }
        // Fewer dialects, or another order, at the built-in addresses.
        (None, Some(dialects)) => {
            Some(dialects.iter().filter_map(|dialect| native.iter().find(|speaks| speaks.dialect == *dialect)).cloned().collect())
        }
        (None, None) => None,
    }
}

/// The dialects that move with a new `base_url`: all that share the first one's address, for another address was another place.
pub(super) fn kept_dialects(native: &[Speaks]) -> Vec<DialectId> {
    match native.first() {
        None => vec![DialectId::OpenAiChat],
        Some(first) => native.iter().filter(|speaks| speaks.base_url == first.base_url).map(|speaks| speaks.dialect).collect(),
    }
}

fn trimmed(base_url: &str) -> Cow<'static, str> {
    Cow::Owned(base_url.trim().trim_end_matches('/').to_owned())
}

fn change(quirks: &mut Quirks, changes: &QuirksSection) {
    if let Some(field) = changes.max_tokens {
        quirks.max_tokens = field;
    }
    let switches = [
        (&mut quirks.no_stream_options, changes.no_stream_options),
        (&mut quirks.no_developer_role, changes.no_developer_role),
        (&mut quirks.no_json_schema, changes.no_json_schema),
        (&mut quirks.no_strict_tools, changes.no_strict_tools),
        (&mut quirks.no_parallel_tool_calls, changes.no_parallel_tool_calls),
        (&mut quirks.tool_choice_any, changes.tool_choice_any),
        (&mut quirks.short_tool_ids, changes.short_tool_ids),
        (&mut quirks.no_reasoning_effort, changes.no_reasoning_effort),
        (&mut quirks.no_seed, changes.no_seed),
        (&mut quirks.no_candidates, changes.no_candidates),
        (&mut quirks.no_logprobs, changes.no_logprobs),
        (&mut quirks.text_as_string, changes.text_as_string),
        (&mut quirks.reasoning_content, changes.reasoning_content),
        (&mut quirks.reasoning_details, changes.reasoning_details),
        (&mut quirks.random_seed, changes.random_seed),
        (&mut quirks.top_k, changes.top_k),
        (&mut quirks.cache_control, changes.cache_control),
        (&mut quirks.allowed_tools, changes.allowed_tools),
        (&mut quirks.beta_headers, changes.beta_headers),
    ];
    for (quirk, change) in switches {
        *quirk = change.unwrap_or(*quirk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{:?}` of [`Quirks`] names every quirk that there is.
    #[test]
    fn every_quirk_can_be_set_by_its_name() {
        let text = format!("{:?}", Quirks::NONE);
        let inside = text.trim_start_matches("Quirks {").trim_end_matches('}');
        let known: Vec<&str> = inside.split(',').filter_map(|part| part.split_once(':')).map(|(name, _)| name.trim()).collect();
        let offered: Vec<&str> = QuirksSection::SECTION.fields.iter().map(|field| field.name).collect();
        assert_eq!(offered, known);
        for name in known {
            let value = if name == "max_tokens" { "\"max_completion_tokens\"" } else { "true" };
            let text = format!("[providers.x]\nbase_url = \"https://x.example\"\nquirks = {{ {name} = {value} }}");
            let loaded = crate::config::load(Some(("f", &text)), []).expect("it loads");
            let row = row("x", None, loaded.document.providers.get("x"));
            assert_ne!(row.quirks, Quirks::NONE, "{name}");
        }
    }
}
