//! What the text of a target means: `provider/model`, or the name of an alias.

use super::diagnostic::{alternatives, nearest, shown};
use super::document::Document;
use crate::provider::{Provider, catalog};

/// How far a chain of aliases is followed to tell a cycle from a chain; both are refused.
const LONGEST_TRAIL: usize = 16;

/// The names that a target can refer to.
pub(super) struct Names<'a> {
    document: &'a Document,
    rows: &'a [Provider],
}

/// Why a text is no target: the message and the way out.
pub(super) type Refusal = (String, String);

impl<'a> Names<'a> {
    pub(super) fn of(document: &'a Document, rows: &'a [Provider]) -> Self {
        Self { document, rows }
    }

    /// Whether there is a provider of that name.
    pub(super) fn is_provider(&self, name: &str) -> bool {
        self.document.providers.get(name).is_some() || self.rows.iter().any(|row| row.name == name)
    }

    /// The targets of the alias of that name, with their place in its list; none if there is no such alias.
    pub(super) fn alias(&self, name: &str) -> Vec<&'a str> {
        let Some(model) = self.document.models.get(name) else { return Vec::new() };
        let many = model.targets.iter().flatten();
        model.target.iter().chain(many).map(String::as_str).collect()
    }

    /// Splits `provider/model`; refuses everything else.
    pub(super) fn place<'t>(&self, text: &'t str) -> Result<(&'t str, &'t str), Refusal>
    where
        'a: 't,
    {
        const FORM: &str = "write it as \"provider/model\"";
        if text.trim().is_empty() {
            return Err(("this target is empty".into(), FORM.into()));
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err((format!("the target `{}` has space around it, or control characters", shown(text)), FORM.into()));
        }
        let Some((provider, model)) = text.split_once('/') else {
            let message = format!("the target `{}` names no provider", shown(text));
            let owner = self.rows.iter().find(|row| row.owns.iter().any(|prefix| text.starts_with(prefix.as_ref())));
            let help = match owner {
                Some(row) => format!("write it as \"{}/{}\"", row.name, shown(text)),
                None => FORM.into(),
            };
            return Err((message, help));
        };
        if provider.is_empty() {
            return Err((format!("the target `{}` names no provider", shown(text)), FORM.into()));
        }
        if model.is_empty() {
            let help = format!("write the model's name at {provider} after the slash: \"{provider}/...\"");
            return Err((format!("the target `{}` names no model", shown(text)), help));
        }
        let provider = self.known_as(provider).unwrap_or(provider);
        if !self.is_provider(provider) {
            return Err((format!("there is no provider `{}`", shown(provider)), self.nearest_providers(provider)));
        }
        Ok((provider, model))
    }

    /// What a target of a route means, in order: one place, or those of an alias.
    pub(super) fn of_route(&self, text: &'a str) -> Result<Vec<(&'a str, &'a str)>, Refusal> {
        let alias = self.alias(text);
        if !alias.is_empty() {
            // A broken target of the alias is reported where it stands.
            return Ok(alias.into_iter().filter_map(|target| self.place(target).ok()).collect());
        }
        self.place(text).map(|place| vec![place]).map_err(|(message, help)| {
            let near = if text.contains('/') { Vec::new() } else { nearest(text, self.aliases()) };
            if near.is_empty() { (message, help) } else { (message, format!("did you mean the alias {}?", alternatives(&near))) }
        })
    }

    /// Refuses an alias that leads to another alias, and so also every cycle of them.
    pub(super) fn of_alias<'t>(&self, alias: &str, text: &'t str) -> Result<(&'t str, &'t str), Refusal>
    where
        'a: 't,
    {
        if text.contains('/') && self.place(text).is_ok() || self.alias(text).is_empty() {
            return self.place(text);
        }
        let mut trail = vec![alias];
        let mut next = text;
        while let Some(further) = self.alias(next).into_iter().find(|target| !self.alias(target).is_empty()) {
            if trail.contains(&next) || trail.len() > LONGEST_TRAIL {
                break;
            }
            trail.push(next);
            next = further;
        }
        let help = "name the models themselves, as \"provider/model\"; a route can name aliases".to_owned();
        if trail.contains(&next) {
            trail.push(next);
            let way: Vec<String> = trail.iter().map(|name| format!("`{}`", shown(name))).collect();
            return Err((format!("this alias leads back to an alias on its own way: {}", way.join(" -> ")), help));
        }
        Err((format!("`{}` is an alias itself; an alias leads to models", shown(text)), help))
    }

    /// "Did you mean" for the name of a provider.
    pub(super) fn nearest_providers(&self, name: &str) -> String {
        let built_in = self.rows.iter().map(|row| row.name.as_ref());
        let near = nearest(name, built_in.chain(self.document.providers.names()));
        if near.is_empty() {
            format!("add [providers.{}] with its base_url, or name one that exists", super::shape::toml_key(&shown(name)))
        } else {
            format!("did you mean {}?", alternatives(&near))
        }
    }

    /// The built-in providers whose names are most like `name`.
    pub(super) fn nearest_built_in(&self, name: &str) -> Vec<&'a str> {
        nearest(name, self.rows.iter().map(|row| row.name.as_ref()))
    }

    /// The built-in provider that people also know under this name.
    pub(super) fn known_as(&self, name: &str) -> Option<&'a str> {
        let canonical = catalog::canonical(name);
        self.rows.iter().map(|row| row.name.as_ref()).find(|row| *row == canonical && *row != name)
    }

    fn aliases(&self) -> impl Iterator<Item = &str> {
        self.document.models.names().filter(|name| !self.alias(name).is_empty())
    }
}
