//! From a document to the snapshot that the pipeline reads.
//!
//! Invariant: total. A document with errors compiles too, so that everything is reported at once; the result is then dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::address::{Listen, listen};
use super::check;
use super::diagnostic::{Diagnostic, Report, alternatives, any_error};
use super::document::{Document, ModelSection, ProviderSection, RouteSection, TimeoutsChange};
use super::hints::Hints;
use super::issuer::Issuer;
use super::load::Loaded;
use super::path::Path;
use super::row::row;
use super::secret_name::SecretName;
use super::target::Names;
use super::{Config, ModelEntry, ProviderEntry, Records, Route, Server, Target, Tls, Webhook};
use crate::model::{self, ModelLimits, Price};
use crate::order;
use crate::policy::limit::{Budget, Limits, Only, Rule};
use crate::ports::Timeouts;
use crate::provider::{Credential, Provider, demo};

/// What the platform knows and the document does not.
#[derive(Clone, Debug, Default)]
pub struct Availability {
    /// Names of the secrets that are set, of those in [`super::secret_names`].
    pub secrets: BTreeSet<String>,
    /// Names of the local providers that answered, of those in [`super::probes`].
    pub reachable: BTreeSet<String>,
    /// Whether everybody can reach this gateway whatever `server.listen` says: so on edge platforms.
    pub public: bool,
    /// How an operator supplies here what is missing.
    pub hints: Hints,
}

/// Compiles a document. Fails with every error (and warning) there is; otherwise the snapshot and its warnings.
pub fn compile(loaded: &Loaded, available: &Availability) -> Result<(Config, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut report = Report::new(&loaded.layers);
    check::document(&loaded.document, loaded.rows, &mut report);
    auth(&loaded.document, available, &mut report);
    issuers(&loaded.document, available, &mut report);
    store_password(&loaded.document, available, &mut report);
    admin(&loaded.document, available, &mut report);
    let config = build(loaded, available, &mut report);
    // A variable that holds a secret of the document's has an effect, however much it looks like a field.
    let secrets = secret_names(loaded);
    let outside = loaded.outside.iter().filter(|found| !secrets.contains(&*found.origin.source)).cloned();
    let mut found: Vec<Diagnostic> = outside.chain(loaded.found.iter().cloned()).collect();
    found.extend(report.finish());
    order::sort_by_key(&mut found, |diagnostic| diagnostic.severity);
    if any_error(&found) { Err(found) } else { Ok((config, found)) }
}

/// Who may call, against who can connect.
fn auth(document: &Document, available: &Availability, report: &mut Report<'_>) {
    let at = Path::of(&["auth", "keys"]);
    let keys = &document.auth.keys;
    let issuers = document.auth.issuers.names().next().is_some();
    if keys.is_empty() && !issuers && document.auth.required != Some(true) && !report.layers().is_filled(&at) {
        let fix = "name a secret in `auth.keys` (`keys = [\"EDGEWAY_KEY\"]`) and set it to a long random text";
        if available.public {
            report.error(&at, "everybody can reach this gateway, and nobody needs a key", fix);
        } else if listen(&document.server.listen) == Listen::Open {
            let at = Path::of(&["server", "listen"]);
            let message = format!("`{}` can be reached by other machines, and nobody needs a key", document.server.listen);
            report.error(&at, message, format!("{fix}; or listen on 127.0.0.1"));
        }
    }
    let unset: Vec<usize> = (0..keys.len()).filter(|index| !available.secrets.contains(keys[*index].as_str())).collect();
    let mut seen = BTreeSet::new();
    for (index, key) in keys.iter().enumerate() {
        let at = at.index(index);
        let name = key.as_str();
        let help = format!("{} to a long random text, or remove it from `auth.keys`", available.hints.set(name));
        if unset.len() == keys.len() {
            report.error(&at, format!("the secret `{name}` is not set, so nobody could call"), help);
        } else if unset.contains(&index) {
            report.warning(&at, format!("the secret `{name}` is not set"), help);
        }
        if !seen.insert(name) {
            report.warning(&at, format!("`{name}` is named twice"), "remove one of the two");
        }
    }
}

/// Issuers that sign with a secret, against the secrets there are.
fn issuers(document: &Document, available: &Availability, report: &mut Report<'_>) {
    let keys = || document.auth.keys.iter().chain(&document.admin.keys).chain(&document.admin.bootstrap);
    for (name, section) in document.auth.issuers.iter() {
        let Some(secret) = &section.secret else { continue };
        let at = Path::of(&["auth", "issuers", name, "secret"]);
        let secret_name = secret.as_str();
        if keys().any(|key| key == secret) {
            let message = format!("`{secret_name}` is a key of this gateway too, so whoever holds it could sign tokens");
            report.error(&at, message, "name a secret of its own");
        } else if !available.secrets.contains(secret_name) {
            let help = format!("{} to what the issuer signs with, or remove this issuer", available.hints.set(secret_name));
            report.warning(&at, format!("the secret `{secret_name}` is not set, so no token of `{name}` can be checked"), help);
        }
    }
}

/// A store that asks for a password, against the secrets there are. Edge platforms have stores of their own.
fn store_password(document: &Document, available: &Availability, report: &mut Report<'_>) {
    let Some(name) = document.server.store_password.as_ref().map(SecretName::as_str) else { return };
    if !available.public && !available.secrets.contains(name) {
        let message = format!("the secret `{name}` is not set, so the store would refuse the gateway");
        report.error(
            &Path::of(&["server", "store_password"]),
            message,
            format!("{}, or remove this line", available.hints.set(name)),
        );
    }
}

/// Who may administer: a key of their own, and one that exists.
fn admin(document: &Document, available: &Availability, report: &mut Report<'_>) {
    for (index, key) in document.admin.keys.iter().enumerate() {
        let at = Path::of(&["admin", "keys"]).index(index);
        let name = key.as_str();
        if document.auth.keys.contains(key) {
            let message = format!("`{name}` is one of `auth.keys`, so every caller could administer");
            report.error(&at, message, "name a secret of its own");
        } else if !available.secrets.contains(name) {
            let help = format!("{} to a long random text, or remove it from `admin.keys`", available.hints.set(name));
            report.warning(&at, format!("the secret `{name}` is not set, so nobody can administer with it"), help);
        }
    }
    if let Some(secret) = &document.admin.bootstrap {
        let at = Path::of(&["admin", "bootstrap"]);
        let name = secret.as_str();
        if document.auth.keys.contains(secret) || document.admin.keys.contains(secret) {
            let message = format!("`{name}` is one of `auth.keys` or `admin.keys`, so its holders could make themselves owners");
            report.error(&at, message, "name a secret of its own");
        } else if !available.secrets.contains(name) {
            let help = format!("{} to a long random text, or remove this line", available.hints.set(name));
            report.warning(&at, format!("the secret `{name}` is not set, so no first administrator can be made"), help);
        }
    }
}

fn build(loaded: &Loaded, available: &Availability, report: &mut Report<'_>) -> Config {
    let Loaded { document, rows, .. } = loaded;
    let timeouts = Timeouts {
        connect: document.timeouts.connect.0,
        first_byte: document.timeouts.first_byte.0,
        idle: document.timeouts.idle.0,
        total: document.timeouts.total.0,
    };
    let providers = providers(document, rows, available, timeouts, report);
    let builder = Builder { names: Names::of(document, rows), document, providers: &providers, available, timeouts };
    let models =
        order::map(document.models.iter().map(|(name, section)| (name.to_owned(), builder.model(name, section, report))));
    let routes = check::in_order(document).into_iter().map(|(name, section)| builder.route(name, section, report)).collect();
    let server = &document.server;
    Config {
        version: version(document),
        server: Server {
            listen: server.listen.clone(),
            max_body: bytes(server.max_body.0),
            max_header: bytes(server.max_header.0),
            max_headers: bytes(server.max_headers),
            header_timeout: server.header_timeout.0,
            body_timeout: server.body_timeout.0,
            max_connections: bytes(server.max_connections),
            tls: server.tls.as_ref().map(|tls| Tls { certificate: tls.certificate.clone(), key: tls.key.clone() }),
            drain: server.drain.0,
            drain_delay: server.drain_delay.0,
            store: server.store.clone(),
            store_password: server.store_password.as_ref().map(|name| name.as_str().to_owned()),
        },
        timeouts,
        auth_keys: names(&document.auth.keys),
        auth_required: document
            .auth
            .required
            .unwrap_or(!document.auth.keys.is_empty() || document.auth.issuers.names().next().is_some()),
        auth_refresh: document.auth.refresh.0,
        auth_grace: document.auth.grace.0,
        issuers: document.auth.issuers.iter().map(|(name, section)| Arc::new(Issuer::of(name, section))).collect(),
        admin_keys: names(&document.admin.keys),
        bootstrap: document.admin.bootstrap.as_ref().map(|name| name.as_str().to_owned()),
        refresh: document.config.refresh.0,
        usage: Records { store: document.usage.store, retention: document.usage.retention.0 },
        providers,
        models,
        routes,
        rules: rules(document),
        instances: u32::try_from(document.admission.instances).unwrap_or(u32::MAX),
        webhook: document
            .alerts
            .webhook
            .as_ref()
            .zip(document.alerts.secret.as_ref())
            .map(|(url, secret)| Webhook { url: url.clone(), secret: secret.as_str().to_owned() }),
    }
}

/// Limits, then budgets, in order of appearance.
fn rules(document: &Document) -> Vec<Rule> {
    let only = |tenants: &[String], teams: &[String], routes: &[String], models: &[String]| Only {
        tenants: tenants.to_vec(),
        teams: teams.to_vec(),
        routes: routes.to_vec(),
        models: models.to_vec(),
    };
    let limits = document.limits.iter().map(|(name, section)| Rule {
        name: format!("limits.{name}"),
        per: section.per.clone(),
        only: only(&section.tenants, &section.teams, &section.routes, &section.models),
        limits: Limits {
            requests: section.requests.0.clone(),
            input_tokens: section.input_tokens.0.clone(),
            output_tokens: section.output_tokens.0.clone(),
            tokens: section.tokens.0.clone(),
            concurrency: section.concurrency.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
            mode: section.mode,
            when_away: section.when_away,
        },
        budgets: Vec::new(),
    });
    let budgets = document.budgets.iter().map(|(name, section)| {
        let percents = |alerts: &Vec<u64>| alerts.iter().map(|percent| u8::try_from(*percent).unwrap_or(100)).collect();
        let mut alerts: Vec<u8> = section.alerts.as_ref().map_or_else(Budget::default_alerts, percents);
        order::sort(&mut alerts);
        alerts.dedup();
        Rule {
            name: format!("budgets.{name}"),
            per: section.per.clone(),
            only: only(&section.tenants, &section.teams, &section.routes, &section.models),
            limits: Limits::default(),
            budgets: section
                .amount
                .0
                .iter()
                .map(|budget| Budget {
                    alerts: alerts.clone(),
                    unknown_price: section.unknown_price,
                    mode: section.mode,
                    when_away: section.when_away,
                    ..budget.clone()
                })
                .collect(),
        }
    });
    limits.chain(budgets).collect()
}

fn names(keys: &[SecretName]) -> Vec<String> {
    keys.iter().map(|key| key.as_str().to_owned()).collect()
}

/// The first 12 hexadecimal digits of the SHA-256 of the document as JSON.
fn version(document: &Document) -> String {
    let digest = Sha256::digest(serde_json::to_vec(document).expect("a document has string keys only"));
    digest.iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn providers(
    document: &Document,
    rows: &[Provider],
    available: &Availability,
    timeouts: Timeouts,
    report: &mut Report<'_>,
) -> BTreeMap<String, Arc<ProviderEntry>> {
    let built_in = rows.iter().map(|row| row.name.as_ref());
    let names: BTreeSet<&str> = order::set(built_in.chain(document.providers.names()));
    let entry = |name: &str| {
        let section = document.providers.get(name);
        let built_in = rows.iter().find(|row| row.name == name);
        let row = row(name, built_in, section);
        let in_process = built_in.is_some_and(|row| row.speaks.is_empty());
        let key = row.key_names.iter().find(|key| available.secrets.contains(key.as_ref())).map(|key| key.to_string());
        let usable = in_process || usable(&row, key.is_some(), section.is_some(), available);
        let enabled = section.and_then(|section| section.enabled).unwrap_or(usable);
        if key.is_none()
            && let Some(section) = section
        {
            keyless(name, section, &row, enabled, available.hints, report);
        }
        let headers = section.and_then(|section| section.headers.as_ref());
        let headers = headers.into_iter().flat_map(super::shape::Named::iter).filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::try_from(value).ok()?))
        });
        let models = section.and_then(|section| section.models.clone());
        let entry = ProviderEntry {
            key,
            enabled,
            timeouts: section.and_then(|section| section.timeouts.as_ref()).map(|changes| changed(timeouts, changes)),
            headers: headers.collect(),
            models: models.unwrap_or_else(|| if in_process { own_models() } else { Vec::new() }),
            row,
        };
        (name.to_owned(), Arc::new(entry))
    };
    order::map(names.into_iter().map(entry))
}

/// Says of a provider that the document names, and whose key is not set, what follows.
fn keyless(name: &str, section: &ProviderSection, row: &Provider, enabled: bool, hints: Hints, report: &mut Report<'_>) {
    let at = Path::of(&["providers", name]);
    let unreadable = section.key.is_none() && report.layers().has(&at.key("key"));
    let wanted = needs_key(row) || section.key.is_some() && row.credential != Credential::None;
    if unreadable || !wanted || section.enabled == Some(false) {
        return;
    }
    let names = alternatives(&row.key_names);
    let at = if section.key.is_some() { at.key("key") } else { at };
    let message = if !enabled {
        format!("`{name}` is switched off: {names} is not set")
    } else if needs_key(row) {
        format!("`{name}` is on and has no key: {names} is not set")
    } else {
        format!("`{name}` is used without a key: {names} is not set")
    };
    report.warning(&at, message, format!("{}, or name another secret in `key`", hints.set_one_of(&row.key_names)));
}

/// Whether a provider with an address is on when nobody says.
fn usable(row: &Provider, has_key: bool, named: bool, available: &Availability) -> bool {
    if row.local {
        return named || has_key || available.reachable.contains(row.name.as_ref());
    }
    if needs_key(row) { has_key } else { named }
}

/// Whether a provider cannot be used without its key.
fn needs_key(row: &Provider) -> bool {
    !row.key_names.is_empty() && row.credential != Credential::None && !row.local
}

/// The models of the provider that is served in process.
fn own_models() -> Vec<String> {
    vec![demo::MODEL.rsplit('/').next().unwrap_or(demo::MODEL).to_owned()]
}

fn changed(base: Timeouts, changes: &TimeoutsChange) -> Timeouts {
    Timeouts {
        connect: changes.connect.map_or(base.connect, |period| period.0),
        first_byte: changes.first_byte.map_or(base.first_byte, |period| period.0),
        idle: changes.idle.map_or(base.idle, |period| period.0),
        total: changes.total.map_or(base.total, |period| period.0),
    }
}

/// Makes models and routes out of a document and its providers.
struct Builder<'a> {
    names: Names<'a>,
    document: &'a Document,
    providers: &'a BTreeMap<String, Arc<ProviderEntry>>,
    available: &'a Availability,
    timeouts: Timeouts,
}

impl Builder<'_> {
    fn model(&self, name: &str, section: &ModelSection, report: &mut Report<'_>) -> ModelEntry {
        let limits = ModelLimits { context: section.context, max_output: section.max_output };
        let at = Path::of(&["models", name]);
        let mut targets = Vec::new();
        for (index, text) in self.names.alias(name).into_iter().enumerate() {
            let at = if section.target.is_some() { at.key("target") } else { at.key("targets").index(index) };
            if let Ok((provider, model)) = self.names.of_alias(name, text) {
                targets.extend(self.target(provider, model, Some(section), &at, report));
            }
        }
        ModelEntry { targets, limits, price: priced(section) }
    }

    fn route(&self, name: &str, section: &RouteSection, report: &mut Report<'_>) -> Route {
        let at = Path::of(&["routes", name, "targets"]);
        let mut targets = Vec::new();
        for (index, text) in section.targets.iter().enumerate() {
            let alias = self.document.models.get(text).filter(|_| !self.names.alias(text).is_empty());
            for (provider, model) in self.names.of_route(text).unwrap_or_default() {
                targets.extend(self.target(provider, model, alias, &at.index(index), report));
            }
        }
        Route {
            name: name.to_owned(),
            models: section.models.clone(),
            timeouts: self.route_timeouts(section, &targets),
            targets,
            max_body: section.max_body.map(|size| bytes(size.0)),
            anonymous: section.anonymous.unwrap_or(false),
        }
    }

    /// A target, with the limits and the price that an alias gives, else the document for the model, else the catalog.
    fn target(
        &self,
        provider: &str,
        model: &str,
        alias: Option<&ModelSection>,
        at: &Path,
        report: &mut Report<'_>,
    ) -> Option<Target> {
        let entry = self.providers.get(provider)?;
        if !entry.enabled {
            self.switched_off(entry, at, report);
        }
        let document = |name: &str| self.document.models.get(name).filter(|_| self.names.alias(name).is_empty());
        let named = format!("{provider}/{model}");
        let said = [alias, document(&named), document(model)];
        let said = || said.iter().flatten();
        let catalog = model::limits(model);
        let limits = ModelLimits {
            context: said().find_map(|section| section.context).or(catalog.context),
            max_output: said().find_map(|section| section.max_output).or(catalog.max_output),
        };
        let price = said().find_map(|section| priced(section)).or_else(|| model::price(&entry.row, model));
        Some(Target { provider: entry.clone(), model: model.to_owned(), limits, price })
    }

    fn switched_off(&self, entry: &ProviderEntry, at: &Path, report: &mut Report<'_>) {
        let name = &entry.row.name;
        let said = self.document.providers.get(name).and_then(|section| section.enabled) == Some(false);
        let (why, help) = if said {
            (format!("providers.{name}.enabled is false"), "set it to true, or remove this target".to_owned())
        } else if needs_key(&entry.row) {
            let names = &entry.row.key_names;
            let set = self.available.hints.set_one_of(names);
            (format!("{} is not set", alternatives(names)), format!("{set}, or remove this target"))
        } else if self.available.reachable.is_empty() && entry.row.local {
            ("it does not answer".to_owned(), format!("start it, or add [providers.{name}] to use it without asking first"))
        } else {
            ("nothing names it".to_owned(), format!("add [providers.{name}]"))
        };
        report.warning(at, format!("the provider `{name}` is switched off: {why}"), help);
    }

    /// A route's time budgets. What it does not say is that of its providers, the longest where they differ.
    fn route_timeouts(&self, section: &RouteSection, targets: &[Target]) -> Option<Timeouts> {
        let none = TimeoutsChange { connect: None, first_byte: None, idle: None, total: None };
        let mut changes = section.timeouts.clone().unwrap_or(none);
        changes.total = section.timeout.or(changes.total);
        if [changes.connect, changes.first_byte, changes.idle, changes.total].iter().all(Option::is_none) {
            return None;
        }
        let each = targets.iter().map(|target| target.provider.timeouts.unwrap_or(self.timeouts));
        let longest = each.reduce(|a, b| Timeouts {
            connect: a.connect.max(b.connect),
            first_byte: a.first_byte.max(b.first_byte),
            idle: a.idle.max(b.idle),
            total: a.total.max(b.total),
        });
        Some(changed(longest.unwrap_or(self.timeouts), &changes))
    }
}

fn priced(section: &ModelSection) -> Option<Arc<Price>> {
    section.price.as_ref().map(|section| Arc::new(super::price::price(section)))
}

/// The names of the secrets that a platform should look up for [`Availability::secrets`].
pub fn secret_names(loaded: &Loaded) -> BTreeSet<String> {
    let rows = loaded.rows.iter().flat_map(|row| row.key_names.iter()).map(|name| name.to_string());
    let configured = loaded.document.providers.iter().filter_map(|(_, section)| section.key.as_ref());
    let server = loaded.document.server.store_password.as_ref();
    let Document { auth, admin, .. } = &loaded.document;
    let issuers = auth.issuers.iter().filter_map(|(_, section)| section.secret.as_ref());
    let own = auth.keys.iter().chain(&admin.keys).chain(&admin.bootstrap).chain(server);
    let own = own.chain(loaded.document.alerts.secret.as_ref()).chain(issuers);
    let configured = configured.chain(own).map(|name: &SecretName| name.as_str().to_owned());
    order::set(rows.chain(configured))
}

/// A local provider that a platform may ask whether it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name, for [`Availability::reachable`].
    pub provider: String,
    /// Its address; anything that answers `GET {base_url}/models` is there.
    pub base_url: String,
}

/// Local providers that are found without being named. Only those with a port of their own: asking one that is shared
/// (8000, 8080) would find somebody's web server.
const FOUND_BY_ASKING: [&str; 1] = ["ollama"];

/// The local providers to ask for [`Availability::reachable`]: none that the document names, for those are used anyway.
pub fn probes(loaded: &Loaded) -> Vec<Probe> {
    let unnamed = loaded.rows.iter().filter(|row| row.local && loaded.document.providers.get(&row.name).is_none());
    let asked = unnamed.filter(|row| FOUND_BY_ASKING.contains(&row.name.as_ref()));
    let probe =
        |row: &Provider| Some(Probe { provider: row.name.to_string(), base_url: row.speaks.first()?.base_url.to_string() });
    asked.filter_map(probe).collect()
}
