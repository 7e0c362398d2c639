//! Plans: which targets, in which order, and why.
//!
//! A requested model is looked up so, first match wins:
//!
//! | step | what it is | example |
//! |---|---|---|
//! | 1 | a route's pattern | `gpt-*` |
//! | 2 | an alias | `fast` |
//! | 3 | `provider/model` | `groq/llama-3.1-8b-instant` |
//! | 4 | a model that one provider lists | `llama-3.1-8b-instant` |
//! | 5 | `provider/model` with another name of the provider | `google/gemini-2.5-flash` |
//! | 6 | a bare name that one provider owns | `claude-sonnet-4-5` |

use std::sync::Arc;

use crate::config::{Config, ProviderEntry, Route, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::model;
use crate::order;
use crate::ports::Timeouts;
use crate::provider::catalog;

/// Where a request may go, in order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The route's name, if one matched.
    pub route: Option<String>,
    /// At least one.
    pub candidates: Vec<Candidate>,
    /// Largest request body, where the route says.
    pub max_body: Option<usize>,
}

/// A target, and why it is one.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Where to send.
    pub target: Target,
    /// Its time budgets.
    pub timeouts: Timeouts,
    /// Why, for people.
    pub because: &'static str,
}

/// Plans a request for `model`. Fails with `ModelNotFound` and the nearest names.
pub fn plan(config: &Config, model: &str) -> Result<Plan> {
    let mut plan = lookup(config, model)?;
    match plan.candidates.first().map(|candidate| candidate.target.provider.clone()) {
        Some(first) => {
            plan.candidates.retain(|candidate| candidate.target.provider.enabled);
            if plan.candidates.is_empty() { Err(switched_off(&first, model)) } else { Ok(plan) }
        }
        None => Err(not_found(config, model)),
    }
}

fn lookup(config: &Config, model: &str) -> Result<Plan> {
    if let Some(route) = config.routes.iter().find(|route| route.models.iter().any(|pattern| matches(pattern, model))) {
        return Ok(of_route(config, route));
    }
    if let Some(entry) = config.models.get(model).filter(|entry| !entry.targets.is_empty()) {
        return Ok(direct(config, entry.targets.clone(), "the alias leads here"));
    }
    if let Some((provider, name)) = model.split_once('/')
        && let Some(entry) = config.providers.get(provider)
        && !name.is_empty()
    {
        return named(config, entry, name, model);
    }
    let lists = |entry: &&Arc<ProviderEntry>| entry.enabled && entry.models.iter().any(|listed| listed == model);
    if let Some(entry) = only(config.providers.values().filter(lists)) {
        return Ok(direct(config, vec![target(config, entry, model)], "its provider lists the model"));
    }
    if let Some((provider, name)) = model.split_once('/')
        && let Some(entry) = config.providers.get(catalog::canonical(provider))
        && !name.is_empty()
    {
        return named(config, entry, name, model);
    }
    let owns = |entry: &&Arc<ProviderEntry>| entry.row.owns.iter().any(|prefix| model.starts_with(prefix.as_ref()));
    if let Some(entry) = only(config.providers.values().filter(owns)) {
        return Ok(direct(config, vec![target(config, entry, model)], "its provider owns the name"));
    }
    Err(not_found(config, model))
}

/// The names under which models can be asked for, with their provider: what the listings show.
pub fn visible_models(config: &Config) -> Vec<(String, Target)> {
    let mut seen: Vec<(String, Target)> = Vec::new();
    let mut add = |name: &str, target: Target| {
        if target.provider.enabled && !seen.iter().any(|(known, _)| known == name) {
            seen.push((name.to_owned(), target));
        }
    };
    for route in &config.routes {
        for name in route.models.iter().filter(|pattern| !pattern.contains('*')) {
            route.targets.first().into_iter().for_each(|target| add(name, target.clone()));
        }
    }
    for (name, entry) in &config.models {
        entry.targets.first().into_iter().for_each(|target| add(name, target.clone()));
    }
    for entry in config.providers.values() {
        for name in &entry.models {
            add(&format!("{}/{name}", entry.row.name), target(config, entry, name));
        }
    }
    seen
}

fn of_route(config: &Config, route: &Route) -> Plan {
    let candidate = |(place, target): (usize, &Target)| Candidate {
        target: target.clone(),
        timeouts: route.timeouts.or(target.provider.timeouts).unwrap_or(config.timeouts),
        because: if place == 0 { "first target of the route" } else { "fallback of the route" },
    };
    Plan {
        route: Some(route.name.clone()),
        candidates: route.targets.iter().enumerate().map(candidate).collect(),
        max_body: route.max_body,
    }
}

fn direct(config: &Config, targets: Vec<Target>, because: &'static str) -> Plan {
    let candidate = |target: Target| {
        let timeouts = target.provider.timeouts.unwrap_or(config.timeouts);
        Candidate { target, timeouts, because }
    };
    Plan { route: None, candidates: targets.into_iter().map(candidate).collect(), max_body: None }
}

fn named(config: &Config, entry: &Arc<ProviderEntry>, name: &str, model: &str) -> Result<Plan> {
    // A provider that is served in process knows exactly its own models.
    if entry.row.speaks.is_empty() && !entry.models.iter().any(|known| known == name) {
        return Err(not_found(config, model));
    }
    Ok(direct(config, vec![target(config, entry, name)], "the request names the provider"))
}

fn target(config: &Config, entry: &Arc<ProviderEntry>, name: &str) -> Target {
    let known = config.models.get(&format!("{}/{name}", entry.row.name)).or_else(|| config.models.get(name));
    let catalog = model::limits(name);
    let limits = known.map_or(catalog, |known| model::ModelLimits {
        context: known.limits.context.or(catalog.context),
        max_output: known.limits.max_output.or(catalog.max_output),
    });
    let price = known.and_then(|known| known.price.clone()).or_else(|| model::price(&entry.row, name));
    Target { provider: entry.clone(), model: name.to_owned(), limits, price }
}

/// Whether a pattern, a literal or with one `*` at its end, is for a model.
pub(crate) fn matches(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => model.starts_with(prefix),
        None => pattern == model,
    }
}

fn only<'a>(mut entries: impl Iterator<Item = &'a Arc<ProviderEntry>>) -> Option<&'a Arc<ProviderEntry>> {
    let first = entries.next()?;
    entries.next().is_none().then_some(first)
}

fn switched_off(entry: &ProviderEntry, model: &str) -> Error {
    let name = &entry.row.name;
    let how = if entry.row.key_names.is_empty() {
        format!("add [providers.{name}] to edgeway.toml")
    } else {
        format!("set {} and start the gateway again", entry.row.key_names.join(" or "))
    };
    let message = format!("`{}` is at provider `{name}`, which is switched off here: {how}.", short(model));
    Error::new(ErrorKind::ModelNotFound, message).param("model")
}

fn not_found(config: &Config, model: &str) -> Error {
    let provider = model.split_once('/').map_or(model, |(provider, _)| provider);
    let models = visible_models(config).into_iter().map(|(name, _)| {
        let bare = name.rsplit_once('/').map_or(name.as_str(), |(_, bare)| bare);
        (strsim::jaro_winkler(model, &name).max(strsim::jaro_winkler(model, bare)), name)
    });
    let providers = config.providers.values().filter(|entry| entry.enabled).map(|entry| {
        let name = entry.row.name.as_ref();
        (strsim::jaro_winkler(provider, name), format!("{name}/"))
    });
    let mut near: Vec<(f64, String)> =
        models.chain(providers).filter(|(similar, name)| *similar > 0.75 && name != model).collect();
    order::sort_by(&mut near, |a, b| b.0.total_cmp(&a.0));
    let near: Vec<String> = near.into_iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
    let help = if near.is_empty() {
        "Name it as `provider/model`; GET /v1/models lists what is configured.".to_owned()
    } else {
        format!("Did you mean {}? GET /v1/models lists what is configured.", near.join(", "))
    };
    Error::new(ErrorKind::ModelNotFound, format!("There is no model `{}` here. {help}", short(model))).param("model")
}

fn short(model: &str) -> String {
    model.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Availability};

    fn configured(document: &str) -> Config {
        let loaded = config::load(Some(("edgeway.toml", document)), []).expect("the document is TOML");
        let available = Availability { secrets: ["KEY".to_owned()].into(), ..Availability::default() };
        config::compile(&loaded, &available).unwrap_or_else(|found| panic!("{}", config::render(&found))).0
    }

    const TWO: &str = r#"
        [providers.on]
        base_url = "https://on.test/v1"
        key = "KEY"
        [providers.off]
        base_url = "https://off.test/v1"
        key = "KEY"
        enabled = false
    "#;

    #[test]
    fn a_target_that_is_switched_off_is_left_out() {
        let config = configured(&format!("{TWO}\n[routes.r]\nmodels = [\"x\"]\ntargets = [\"off/a\", \"on/b\"]"));
        let plan = plan(&config, "x").expect("one target is left");
        assert_eq!(plan.candidates.iter().map(|c| c.target.model.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_route_whose_targets_are_all_off_says_so() {
        let config = configured(&format!("{TWO}\n[routes.r]\nmodels = [\"x\"]\ntargets = [\"off/a\"]"));
        let error = plan(&config, "x").expect_err("no target is left");
        assert_eq!(error.kind, ErrorKind::ModelNotFound);
        assert!(error.message.contains("switched off"), "{}", error.message);
    }

    #[test]
    fn an_unknown_model_names_its_neighbours() {
        let error = plan(&configured(TWO), "demo/ecko").expect_err("no such model");
        assert!(error.message.contains("`demo/echo`"), "{}", error.message);
        let error = plan(&configured(TWO), "demo/").expect_err("no model is named");
        assert!(error.message.contains("Did you mean `demo/echo`"), "{}", error.message);
    }

    #[test]
    fn a_bare_name_goes_to_its_owner() {
        let error = plan(&configured(TWO), "claude-sonnet-4-5").expect_err("no key is set");
        assert!(error.message.contains("ANTHROPIC_API_KEY"), "{}", error.message);
    }
}
