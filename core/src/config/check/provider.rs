//! Providers: addresses, headers, names, prefixes.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, HeaderValue};

use super::super::address::{Reach, reach, refused_url};
use super::super::diagnostic::{Report, alternatives, shown};
use super::super::document::{CredentialChoice, Document, ProviderSection};
use super::super::path::Path;
use super::super::row::{kept_dialects, row};
use super::super::secret_name::looks_like_a_key;
use super::super::shape::Named;
use super::super::target::Names;
use super::budgets;
use crate::provider::Provider;

pub(super) fn providers(document: &Document, rows: &[Provider], report: &mut Report<'_>) {
    let names = Names::of(document, rows);
    for (name, section) in document.providers.iter() {
        let at = Path::of(&["providers", name]);
        let built_in = rows.iter().find(|row| row.name == name);
        match built_in {
            Some(row) if row.speaks.is_empty() => in_process(section, &at, report),
            Some(row) => built_in_addresses(row, section, &at, report),
            None => custom(name, &names, &at, report),
        }
        addresses(name, section, built_in, &at, report);
        if let Some(headers) = &section.headers {
            self::headers(headers, &at.key("headers"), report);
        }
        credential(section, &at, report);
        if let Some(timeouts) = &section.timeouts {
            budgets(timeouts, &at.key("timeouts"), report);
        }
        models(name, section, &at, report);
    }
    prefixes(document, rows, report);
}

/// A provider of the document's own.
fn custom(name: &str, names: &Names<'_>, at: &Path, report: &mut Report<'_>) {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(valid) {
        let message = format!("`{}` is no name for a provider", shown(name));
        report.error(at, message, "use lower-case letters, digits and dashes, at most 64");
    }
    if let Some(row) = names.known_as(name) {
        let message = format!("`{name}` is another name of the built-in provider `{row}`");
        report.error(at, message, format!("write [providers.{row}], or choose another name for a provider of your own"));
        return;
    }
    // Present but unreadable was reported already.
    let given = |field: &str| report.layers().has(&at.key(field));
    if !given("base_url") && !given("speaks") {
        let near = names.nearest_built_in(name);
        let mut help = "add its `base_url`".to_owned();
        if !near.is_empty() {
            help = format!("did you mean the built-in {}? Otherwise {help}", alternatives(&near));
        }
        report.error(at, format!("`{}` is not a built-in provider and has no address", shown(name)), help);
    }
    let layers = report.layers();
    for field in ["dialects", "speaks"].into_iter().filter(|field| layers.is_empty_list(&at.key(field))) {
        report.error(
            &at.key(field),
            "a provider speaks at least one protocol",
            "name one, or leave the field out for \"openai_chat\"",
        );
    }
}

/// A provider that is served in process has no address and no key.
fn in_process(section: &ProviderSection, at: &Path, report: &mut Report<'_>) {
    let given = [
        ("base_url", section.base_url.is_some()),
        ("speaks", section.speaks.is_some()),
        ("dialects", section.dialects.is_some()),
        ("key", section.key.is_some()),
        ("credential", section.credential.is_some()),
        ("headers", section.headers.is_some()),
        ("models", section.models.is_some()),
    ];
    for (field, _) in given.iter().filter(|(_, given)| *given) {
        let help = "remove it, or choose another name for a provider of your own";
        report.error(&at.key(field), "this provider is part of the gateway; it has no address, key or other models", help);
    }
}

/// A built-in provider whose address or dialects are changed.
fn built_in_addresses(native: &Provider, section: &ProviderSection, at: &Path, report: &mut Report<'_>) {
    match (&section.base_url, &section.dialects) {
        (Some(_), None) if section.speaks.is_none() => {
            let kept = kept_dialects(&native.speaks);
            let lost: Vec<&str> =
                native.speaks.iter().filter(|one| !kept.contains(&one.dialect)).map(|one| one.dialect.name()).collect();
            if !lost.is_empty() {
                let message = format!("with this address, `{}` no longer speaks {}", native.name, alternatives(&lost));
                report.warning(
                    &at.key("base_url"),
                    message,
                    "that is at another address; give each protocol its own with `speaks`",
                );
            }
        }
        (None, Some(dialects)) => {
            for (index, dialect) in dialects.iter().enumerate() {
                if native.base_url(*dialect).is_none() {
                    let message = format!("Edgeway does not know where `{}` speaks {}", native.name, dialect.name());
                    report.error(&at.key("dialects").index(index), message, "give the address with `speaks`");
                }
            }
            if report.layers().is_empty_list(&at.key("dialects")) {
                report.error(&at.key("dialects"), "a provider speaks at least one protocol", "leave the field out");
            }
        }
        _ => {}
    }
}

/// Every URL of a provider, and whether `local` agrees with them.
fn addresses(name: &str, section: &ProviderSection, built_in: Option<&Provider>, at: &Path, report: &mut Report<'_>) {
    let one = section.base_url.iter().map(|url| (at.key("base_url"), url));
    let many = section.speaks.iter().flatten().enumerate();
    let many = many.map(|(index, speaks)| (at.key("speaks").index(index).key("base_url"), &speaks.base_url));
    let urls: Vec<(Path, &String)> = one.chain(many).collect();
    let mut seen = BTreeSet::new();
    for (index, speaks) in section.speaks.iter().flatten().enumerate() {
        if !seen.insert(speaks.dialect) {
            let message = format!("{} is named twice", speaks.dialect.name());
            report.error(&at.key("speaks").index(index).key("dialect"), message, "keep one of the two");
        }
    }
    let local = row(name, built_in, Some(section)).local;
    for (at, url) in &urls {
        if let Some((message, help)) = refused_url(url) {
            report.error(at, message, help);
            continue;
        }
        let reach = reach(url);
        if reach == Reach::Metadata {
            report.error(
                at,
                "this is the address of a cloud's metadata service",
                "no provider is there; write the provider's address",
            );
            continue;
        }
        if reach == Reach::Likely && section.local.is_none() {
            let message = "this looks like a name of your own network, where Edgeway does not go by itself";
            report.warning(at, message, format!("add `local = true` to [providers.{name}] if that is meant"));
        }
        if reach == Reach::Own && !local {
            let message = "this address is not public, and `local = false` forbids such";
            report.error(at, message, "remove `local`, or write a public address");
        }
        if reach == Reach::Public && local && section.local.is_some() {
            let message = "this address is public, though the provider is said to be local";
            report.warning(at, message, "remove `local`; with it, the name may resolve to any machine of your network");
        }
        if reach == Reach::Public && url.trim().to_ascii_lowercase().starts_with("http://") {
            report.warning(at, "keys and prompts go to this address unencrypted", "write https://");
        }
    }
    if urls.is_empty() && section.local == Some(true) && built_in.is_some_and(|row| !row.local) {
        let message = format!("`{name}` is at a public address");
        report.warning(&at.key("local"), message, "remove `local`; with it, the name may resolve to any machine of your network");
    }
}

/// Why the gateway alone may set a header.
fn reserved(name: &HeaderName) -> Option<&'static str> {
    Some(match name.as_str() {
        "authorization" | "proxy-authorization" | "x-api-key" | "x-goog-api-key" | "api-key" | "cookie" => {
            "name the secret in `key`, and the header in `credential = { header = \"...\" }`"
        }
        "host" | "content-length" | "content-type" | "accept" | "accept-encoding" | "expect" => {
            "Edgeway sets it itself; remove it"
        }
        "connection" | "keep-alive" | "proxy-connection" | "proxy-authenticate" | "te" | "trailer" | "transfer-encoding"
        | "upgrade" => "it belongs to one connection, not to a request; remove it",
        _ => return None,
    })
}

fn headers(headers: &Named<String>, at: &Path, report: &mut Report<'_>) {
    let mut seen = BTreeSet::new();
    for (name, value) in headers.iter() {
        let at = at.key(name);
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
            report.error(&at, format!("`{}` is no name of a header", shown(name)), "use letters, digits and dashes");
            continue;
        };
        if let Some(help) = reserved(&parsed) {
            report.error(&at, format!("the header `{parsed}` cannot be set here"), help);
        } else if looks_like_a_key(value) {
            let help = "name the secret in `key`, and this header in `credential = { header = \"...\" }`; replace the key if this \
                        document was shared";
            report.error(&at, "this looks like a key, which must not stand in a document", help);
        }
        if HeaderValue::try_from(value.as_str()).is_err() || !value.is_ascii() {
            report.error(&at, "this value has characters that no header can hold", "use visible ASCII characters and spaces");
        }
        if !seen.insert(parsed.as_str().to_owned()) {
            report.error(&at, format!("the header `{}` is given twice, in different case", shown(name)), "keep one of the two");
        }
    }
}

fn credential(section: &ProviderSection, at: &Path, report: &mut Report<'_>) {
    match &section.credential {
        Some(CredentialChoice::Header(choice)) => {
            let at = at.key("credential").key("header");
            match HeaderName::from_bytes(choice.header.as_bytes()) {
                Err(_) => {
                    report.error(
                        &at,
                        format!("`{}` is no name of a header", shown(&choice.header)),
                        "use letters, digits and dashes",
                    );
                }
                Ok(name) if name != "authorization" && !carries_keys(&name) && reserved(&name).is_some() => {
                    let help = "write the header in which the provider takes its key, `api-key` say";
                    report.error(&at, format!("the header `{name}` cannot carry a key"), help);
                }
                Ok(name)
                    if section.headers.iter().flat_map(Named::names).any(|other| name == other.to_ascii_lowercase().as_str()) =>
                {
                    report.error(&at, format!("`{name}` is set in `headers` too"), "keep one of the two");
                }
                Ok(_) => {}
            }
        }
        Some(CredentialChoice::None) if section.key.is_some() => {
            report.warning(&at.key("key"), "this key is never sent, for `credential` is \"none\"", "remove one of the two");
        }
        _ => {}
    }
}

fn carries_keys(name: &HeaderName) -> bool {
    matches!(name.as_str(), "x-api-key" | "x-goog-api-key" | "api-key")
}

/// The models that a provider lists.
fn models(provider: &str, section: &ProviderSection, at: &Path, report: &mut Report<'_>) {
    let mut seen = BTreeSet::new();
    for (index, model) in section.models.iter().flatten().enumerate() {
        let at = at.key("models").index(index);
        super::name(model, "a model", &at, report);
        if !seen.insert(model) {
            report.warning(&at, format!("`{}` is listed twice", shown(model)), "remove one of the two");
        }
        if let Some(rest) = model.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')) {
            let message = format!("`{}` begins with the provider's own name", shown(model));
            report.warning(&at, message, format!("write \"{}\", as it is named at the provider", shown(rest)));
        }
    }
}

/// Two providers that own one prefix: neither would get a bare name.
fn prefixes(document: &Document, rows: &[Provider], report: &mut Report<'_>) {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows {
        if document.providers.get(&row.name).is_none_or(|section| section.owns.is_none()) {
            for prefix in row.owns.iter() {
                owners.entry(prefix).or_default().push(&row.name);
            }
        }
    }
    for (name, section) in document.providers.iter() {
        for (index, prefix) in section.owns.iter().flatten().enumerate() {
            let at = Path::of(&["providers", name, "owns"]).index(index);
            if prefix.trim().is_empty() || prefix.contains(['*', '/']) {
                let message = format!("`{}` is no prefix of a model's name", shown(prefix));
                report.error(&at, message, "write how the names begin, \"acme-\" say, without `*` and `/`");
                continue;
            }
            let others = owners.entry(prefix).or_default();
            if others.contains(&name) {
                report.warning(&at, format!("`{}` is listed twice", shown(prefix)), "remove one of the two");
            } else if let Some(other) = others.first() {
                let message = format!("`{other}` owns `{}` too, so a bare name would be nobody's", shown(prefix));
                report.error(&at, message, format!("remove it here, or set `owns = []` in [providers.{other}]"));
            }
            others.push(name);
        }
    }
}
