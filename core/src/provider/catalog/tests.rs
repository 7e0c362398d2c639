use std::collections::BTreeSet;

use super::*;
use crate::dialect::DialectId;

fn rows() -> impl Iterator<Item = &'static Provider> {
    PROVIDERS.iter()
}

#[test]
fn names_are_unique_and_fit_in_front_of_a_slash() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        assert!(!row.name.is_empty() && row.name.bytes().all(fits), "{}", row.name);
        assert!(seen.insert(&row.name), "{} is there twice", row.name);
        assert!(!row.title.is_empty(), "{} has no title", row.name);
        assert!(std::ptr::eq(find(&row.name).expect("every row is found by its name"), row));
    }
}

#[test]
fn an_alias_leads_to_a_row_and_hides_none() {
    for (alias, name) in ALIASES {
        assert!(rows().all(|row| row.name != *alias), "{alias} is a row");
        assert_eq!(find(alias).expect(alias).name, *name);
    }
    assert!(ALIASES.is_sorted_by_key(|(alias, _)| alias) && find("nobody").is_none());
}

#[test]
fn the_catalog_is_as_large_as_promised() {
    let compatible = rows().filter(|row| row.base_url(DialectId::OpenAiChat).is_some() && row.name != "openai");
    assert!(compatible.count() >= 50 && PROVIDERS.len() >= 53);
}

#[test]
fn every_address_is_one_to_which_a_path_can_be_appended() {
    for row in rows() {
        for speaks in row.speaks.iter() {
            let url: http::Uri = speaks.base_url.parse().expect("a URL");
            let host = url.host().expect("a host");
            let scheme = if row.local { "http" } else { "https" };
            assert_eq!(url.scheme_str(), Some(scheme), "{}", row.name);
            assert_eq!(host == "localhost", row.local, "{}", row.name);
            assert!(!speaks.base_url.ends_with('/') && url.query().is_none(), "{}", speaks.base_url);
            // The dialects append these themselves.
            assert!(!url.path().ends_with("/chat/completions") && !url.path().ends_with("/messages"), "{}", speaks.base_url);
        }
    }
}

#[test]
fn a_dialect_is_spoken_at_one_address_and_anthropics_path_has_its_version() {
    for row in rows() {
        let dialects: BTreeSet<_> = row.speaks.iter().map(|speaks| speaks.dialect).collect();
        assert_eq!(dialects.len(), row.speaks.len(), "{}", row.name);
        assert_eq!(row.speaks.is_empty(), row.name == "demo", "{}", row.name);
        if let Some(url) = row.base_url(DialectId::AnthropicMessages) {
            assert!(url.ends_with("/v1"), "{url}: the protocol's path is /v1/messages");
        }
    }
}

#[test]
fn no_two_providers_own_the_same_model_names() {
    let owned: Vec<_> = rows().flat_map(|row| row.owns.iter().map(move |prefix| (&row.name, prefix))).collect();
    for (index, (owner, prefix)) in owned.iter().enumerate() {
        assert!(!prefix.is_empty() && !prefix.contains('/'), "{owner} owns {prefix:?}");
        for (other, other_prefix) in &owned[index + 1..] {
            let overlap = prefix.starts_with(other_prefix.as_ref()) || other_prefix.starts_with(prefix.as_ref());
            assert!(!overlap, "{owner} owns {prefix}, {other} owns {other_prefix}");
        }
    }
}

#[test]
fn every_row_says_where_it_is_from_and_how_it_is_signed() {
    for row in rows() {
        let source: http::Uri = row.source.split('#').next().expect("a first part").parse().expect("a URL");
        assert_eq!(source.scheme_str(), Some("https"), "{}", row.name);
        assert!(row.local || row.name == "demo" || !row.key_names.is_empty(), "{} has no key", row.name);
        for key in row.key_names.iter() {
            assert!(key.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_'), "{key}");
        }
    }
}

#[test]
fn a_caller_keeps_its_dialect_where_the_provider_speaks_it() {
    let dialect = |name: &str, caller| find(name).expect(name).dialect_for(caller);
    assert_eq!(dialect("deepseek", DialectId::AnthropicMessages), DialectId::AnthropicMessages);
    assert_eq!(dialect("deepseek", DialectId::Gemini), DialectId::OpenAiChat);
    assert_eq!(dialect("minimax", DialectId::Gemini), DialectId::AnthropicMessages);
    assert_eq!(dialect("google", DialectId::OpenAiChat), DialectId::Gemini);
    assert_eq!(dialect("groq", DialectId::AnthropicMessages), DialectId::OpenAiChat);
}
