use std::collections::BTreeSet;

use super::*;
use crate::config::{Availability, Config, compile, load};
use crate::dialect::DialectId;
use crate::route;

/// The configuration that `toml` compiles to, where the variable `key` is set.
fn configured(toml: &str, key: &str) -> Config {
    let loaded = load(Some(("edgeway.toml", toml)), []).expect("readable");
    let available = Availability { secrets: [key.to_owned()].into(), ..Availability::default() };
    compile(&loaded, &available).expect("valid").0
}

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
fn a_variable_that_every_ci_job_has_turns_no_provider_on() {
    for row in rows() {
        for common in ["GITHUB_TOKEN", "GH_TOKEN", "CI_JOB_TOKEN", "AWS_ACCESS_KEY_ID"] {
            assert!(!row.key_names.iter().any(|name| name == common), "{}", row.name);
        }
    }
    let github = find("github-models").expect("a row");
    assert!(github.note.is_some_and(|note| note.contains("closed")));
    assert!(!configured("", "GITHUB_TOKEN").providers["github"].enabled);
    assert!(configured("", "GITHUB_MODELS_TOKEN").providers["github"].enabled);
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

#[test]
fn a_model_can_be_asked_for_by_an_alias_of_its_provider() {
    let config = configured("", "GEMINI_API_KEY");
    for model in ["google/gemini-2.5-flash", "gemini/gemini-2.5-flash", "gemini-2.5-flash"] {
        let plan = route::plan(&config, model).expect(model);
        let target = &plan.candidates[0].target;
        assert_eq!((target.provider.row.name.as_ref(), target.model.as_str()), ("gemini", "gemini-2.5-flash"), "{model}");
    }
    let listed = "[providers.vllm]\nmodels = [\"google/gemma-3-27b-it\"]";
    let plan = route::plan(&configured(listed, "GEMINI_API_KEY"), "google/gemma-3-27b-it").expect("a listed model");
    assert_eq!(plan.candidates[0].target.provider.row.name, "vllm", "a listed name is no alias");
}

const GUIDE: &str = include_str!("../../../../docs/add-a-provider.md");

/// The insides of the guide's code blocks that open with this line.
fn blocks(opening: &str) -> Vec<&'static str> {
    GUIDE.split(&format!("\n```{opening}\n")).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// Its code blocks of the kind `rust` are compiled and run as documentation tests, see `mod.rs`.
#[test]
fn the_guides_row_is_the_catalogs_and_its_configuration_makes_the_same_row() {
    let [row] = blocks("rs")[..] else { panic!("the guide has one row") };
    assert!(include_str!("../catalog.rs").contains(row), "the guide's row is not in the catalog as it stands:\n{row}");

    let configs = blocks("toml");
    let groq = &configured(configs[0], "GROQ_API_KEY").providers["my-groq"];
    let built_in = find("groq").expect("a row");
    let same = Provider { name: built_in.name.clone(), source: built_in.source.clone(), ..groq.row.clone() };
    assert_eq!(format!("{same:?}"), format!("{built_in:?}"));
    assert!(groq.enabled);
}

#[test]
fn the_guides_other_configurations_work() {
    let [_, workers, two, vllm] = blocks("toml")[..] else { panic!("the guide has four configurations") };
    assert!(configured(workers, "CLOUDFLARE_API_TOKEN").providers["workers-ai"].enabled);
    let two = &configured(two, "TWO_DOORS_KEY").providers["two-doors"].row;
    assert_eq!(two.base_url(DialectId::AnthropicMessages), Some("https://llm.example.com/anthropic/v1"));
    let vllm = &configured(vllm, "-").providers["vllm"];
    assert!(vllm.enabled && vllm.row.local);
    assert_eq!(vllm.row.base_url(DialectId::OpenAiChat), Some("http://gpu.internal:9000/v1"));
}
