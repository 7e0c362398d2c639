//! Aliases, targets and patterns.

use std::collections::{BTreeMap, BTreeSet};

use super::super::diagnostic::{Report, shown};
use super::super::document::{Document, ModelSection, RouteSection};
use super::super::path::Path;
use super::super::target::Names;
use super::{body_limit, budget, budget_order, budgets};
use crate::order;
use crate::provider::Provider;

pub(super) fn models(document: &Document, rows: &[Provider], report: &mut Report<'_>) {
    let names = Names::of(document, rows);
    for (name, section) in document.models.iter() {
        let at = Path::of(&["models", name]);
        super::name(name, "a model", &at, report);
        limits(section, &at, report);
        if let Some(price) = &section.price {
            super::price::price(price, &at.key("price"), report);
        }
        let one = section.target.iter().map(|target| (at.key("target"), target));
        let many = section.targets.iter().flatten().enumerate();
        let many = many.map(|(index, target)| (at.key("targets").index(index), target));
        for (at, target) in one.chain(many) {
            if let Err((message, help)) = names.of_alias(name, target) {
                report.error(&at, message, help);
            }
        }
        if section.targets.as_ref().is_some_and(Vec::is_empty) && report.layers().is_empty_list(&at.key("targets")) {
            report.error(&at.key("targets"), "this list is empty", "name at least one target, or leave the field out");
        }
        let alias = report.layers().has(&at.key("target")) || report.layers().has(&at.key("targets"));
        if alias && name.contains('*') {
            let message = "an alias is one name; patterns belong to routes";
            report.error(&at, message, format!("write [routes.NAME] with `models = [\"{}\"]`", shown(name)));
        }
        if alias
            && let Some((provider, model)) = name.split_once('/')
            && (names.is_provider(provider) || names.known_as(provider).is_some())
        {
            let message = format!("this alias hides the model `{}` of provider `{provider}`", shown(model));
            report.error(&at, message, "choose a name without the provider, or use a route if that is meant");
        }
        if !alias && section.context.is_none() && section.max_output.is_none() && !report.layers().has(&at.key("price")) {
            report.warning(
                &at,
                "this says nothing of the model",
                "add `target` to make it an alias, or `context`, `max_output` and `price`",
            );
        }
        if let Some((provider, _)) = name.split_once('/').filter(|(provider, _)| !alias && !names.is_provider(provider)) {
            let near = match names.known_as(provider) {
                Some(row) => vec![row],
                None => names.nearest_built_in(provider),
            };
            if let Some(near) = near.first() {
                let message = format!("there is no provider `{}`", shown(provider));
                report.warning(
                    &at,
                    message,
                    format!("did you mean `{near}`? Limits apply to `provider/model` or to a bare name"),
                );
            }
        }
    }
}

fn limits(section: &ModelSection, at: &Path, report: &mut Report<'_>) {
    const MOST: u64 = 1_000_000_000;
    for (field, tokens) in [("context", section.context), ("max_output", section.max_output)] {
        match tokens {
            Some(0) => {
                report.error(&at.key(field), "a limit of zero tokens fits no request", "write the model's limit, or leave it out")
            }
            Some(tokens) if tokens > MOST => {
                report.error(&at.key(field), format!("{tokens} tokens is more than any model has"), "write the model's limit");
            }
            _ => {}
        }
    }
    if let (Some(context), Some(max_output)) = (section.context, section.max_output)
        && max_output > context
        && context > 0
    {
        let message = format!("`max_output` ({max_output}) is more than `context` ({context}), which holds input and output");
        report.error(&at.key("max_output"), message, "check which of the two is wrong");
    }
}

pub(super) fn routes(document: &Document, rows: &[Provider], report: &mut Report<'_>) {
    let names = Names::of(document, rows);
    for (name, section) in document.routes.iter() {
        let at = Path::of(&["routes", name]);
        super::name(name, "a route", &at, report);
        patterns(section, &at, report);
        if section.targets.is_empty() && !report.layers().is_filled(&at.key("targets")) {
            let help = "add `targets = [\"provider/model\"]`, several if a further one should stand in";
            report.error(&at.key("targets"), "this route has no targets", help);
        }
        let mut seen = BTreeMap::new();
        for (index, target) in section.targets.iter().enumerate() {
            let at = at.key("targets").index(index);
            match names.of_route(target) {
                Err((message, help)) => report.error(&at, message, help),
                Ok(_) if seen.insert(target, index).is_some() => {
                    report.warning(&at, format!("`{}` is tried twice", shown(target)), "remove one of the two");
                }
                Ok(_) => {}
            }
        }
        if let Some(timeout) = section.timeout {
            budget(timeout, &at.key("timeout"), report);
            if let Some(first_byte) = section.timeouts.as_ref().and_then(|timeouts| timeouts.first_byte) {
                budget_order(timeout, first_byte, &at.key("timeouts"), report);
            }
        }
        if let Some(timeouts) = &section.timeouts {
            budgets(timeouts, &at.key("timeouts"), report);
        }
        if let Some(max_body) = section.max_body {
            body_limit(max_body, &at.key("max_body"), report);
        }
    }
    unreachable(document, report);
}

fn patterns(section: &RouteSection, at: &Path, report: &mut Report<'_>) {
    let at = at.key("models");
    if section.models.is_empty() && !report.layers().is_filled(&at) {
        report.error(&at, "this route matches no model", "add `models = [\"gpt-*\"]`, or `models = [\"*\"]` for every request");
    }
    for (index, pattern) in section.models.iter().enumerate() {
        let at = at.index(index);
        let body = pattern.strip_suffix('*').unwrap_or(pattern);
        if body.contains('*') {
            let message = format!("`{}` has a `*` that is not at its end", shown(pattern));
            report.error(&at, message, "write the beginning of the name and one `*`: \"gpt-*\"");
        } else if pattern.is_empty() {
            report.error(&at, "an empty name matches no model", "write a model's name, or \"*\" for every request");
        } else if pattern.trim() != pattern || pattern.chars().any(char::is_control) {
            let message = format!("`{}` matches no model", shown(pattern));
            report.error(&at, message, "write a model's name without space around it, or \"*\" for every request");
        }
    }
}

/// The routes in the order in which they are tried.
pub(in crate::config) fn in_order(document: &Document) -> Vec<(&str, &RouteSection)> {
    let mut routes: Vec<_> = document.routes.iter().collect();
    order::sort_by_key(&mut routes, |(_, route)| std::cmp::Reverse(route.priority));
    routes
}

/// Routes, and patterns of them, that an earlier route leaves nothing to.
fn unreachable(document: &Document, report: &mut Report<'_>) {
    let mut earlier = Patterns::default();
    for (name, route) in in_order(document) {
        let covered: Vec<Option<&str>> = route.models.iter().map(|pattern| earlier.covering(pattern)).collect();
        let at = Path::of(&["routes", name]);
        let help = "raise its `priority`, put it first, or narrow the other one's `models`";
        if !covered.is_empty() && covered.iter().all(Option::is_some) {
            let by: BTreeSet<&str> = order::set(covered.iter().flatten().copied());
            let names: Vec<String> = by.iter().map(|name| format!("`{}`", shown(name))).collect();
            let message = match names.as_slice() {
                [one] => format!("this route is never taken: {one} comes first and matches all it does"),
                more => format!("this route is never taken: {} come first and match all it does", more.join(" and ")),
            };
            report.warning(&at, message, help);
        } else {
            for (index, by) in covered.iter().enumerate() {
                if let Some(by) = by {
                    let message =
                        format!("`{}` never matches here: the route `{}` takes it first", shown(&route.models[index]), shown(by));
                    report.warning(&at.key("models").index(index), message, help);
                }
            }
        }
        route.models.iter().for_each(|pattern| earlier.add(pattern, name));
    }
}

/// Patterns of earlier routes, and whose they are.
#[derive(Default)]
struct Patterns<'a> {
    literals: BTreeMap<&'a str, &'a str>,
    prefixes: BTreeMap<&'a str, &'a str>,
}

impl<'a> Patterns<'a> {
    fn add(&mut self, pattern: &'a str, route: &'a str) {
        match pattern.strip_suffix('*') {
            Some(prefix) => self.prefixes.entry(prefix).or_insert(route),
            None => self.literals.entry(pattern).or_insert(route),
        };
    }

    /// The route that takes everything which `pattern` matches.
    fn covering(&self, pattern: &str) -> Option<&'a str> {
        let (body, literal) = match pattern.strip_suffix('*') {
            Some(prefix) => (prefix, None),
            None => (pattern, self.literals.get(pattern)),
        };
        let prefixes =
            body.char_indices().map(|(at, _)| at).chain([body.len()]).filter_map(|end| self.prefixes.get(&body[..end]));
        literal.or(prefixes.into_iter().next()).copied()
    }
}
