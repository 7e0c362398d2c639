//! Issuers of tokens.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::address::{Reach, reach, refused_url};
use super::super::diagnostic::{Report, shown};
use super::super::document::Document;
use super::super::issuer::IssuerSection;
use super::super::path::Path;
use crate::identity::role::built_in;
use crate::identity::{Name, Permission};

/// Most issuers of one gateway: each is asked for its keys, and they are kept.
const MOST: usize = 32;
/// The largest difference between clocks that makes sense; RFC 7519 speaks of a few minutes at most.
const LARGEST_LEEWAY: Duration = Duration::from_secs(60);
/// The shortest time between two looks at an issuer's keys.
const SHORTEST_REFRESH: Duration = Duration::from_secs(30);
/// The longest time for which keys are trusted that nobody could look at.
const LONGEST_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) fn issuers(document: &Document, report: &mut Report<'_>) {
    let at = Path::of(&["auth", "issuers"]);
    let issuers = &document.auth.issuers;
    if issuers.iter().count() > MOST {
        report.error(&at, format!("there are more than {MOST} issuers"), "remove those that nobody uses");
    }
    let mut heard: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (name, section) in issuers.iter() {
        let at = at.key(name);
        if name.parse::<Name>().is_err() {
            let message = format!("`{}` is no name for an issuer", shown(name));
            report.error(&at, message, "use lower-case letters, digits and dashes, at most 64");
        }
        address(&section.issuer, section, &at.key("issuer"), report);
        if let Some(jwks) = &section.jwks {
            // Some have a query in the address of their keys.
            address(jwks.split('?').next().unwrap_or(jwks), section, &at.key("jwks"), report);
        }
        audience(section, &at, report);
        for audience in &section.audience {
            if !heard.insert((&section.issuer, audience)) {
                let message = format!("another issuer has this `issuer` and the audience `{}` too", shown(audience));
                report.error(
                    &at.key("audience"),
                    message,
                    "a token must belong to one of them: give each an audience of its own",
                );
            }
        }
        keys(section, &at, report);
        people(section, &at, report);
        roles(section, &at, report);
        periods(section, &at, report);
    }
}

/// The issuer's name is an address in any case (OpenID Connect Discovery 1.0, section 3), and its keys come from one.
fn address(url: &str, section: &IssuerSection, at: &Path, report: &mut Report<'_>) {
    if let Some((message, _)) = refused_url(url) {
        report.error(at, message, "write it like \"https://login.example.com/\", as the issuer does");
        return;
    }
    let plain = url.trim().to_ascii_lowercase().starts_with("http://");
    match reach(url) {
        Reach::Metadata => {
            report.error(
                at,
                "this is the address of a cloud's metadata service",
                "no issuer is there; write the issuer's address",
            );
        }
        Reach::Public if plain && section.local != Some(true) => {
            report.error(at, "keys from this address could be anybody's: it is not encrypted", "write https://");
        }
        Reach::Likely if section.local.is_none() && section.secret.is_none() => {
            let message = "this looks like a name of your own network, where Edgeway does not go by itself";
            report.warning(at, message, "add `local = true` to this issuer if that is meant");
        }
        Reach::Own if section.local == Some(false) => {
            let message = "this address is not public, and `local = false` forbids such";
            report.error(at, message, "remove `local`, or write a public address");
        }
        _ => {}
    }
}

fn audience(section: &IssuerSection, at: &Path, report: &mut Report<'_>) {
    let at = at.key("audience");
    if section.audience.is_empty() && !report.layers().is_filled(&at) {
        let help = "write what the issuer puts into `aud` for this gateway: `audience = [\"https://edgeway.example.com\"]`";
        report.error(&at, "without an audience every token of this issuer would be good here, whomever it is for", help);
    }
    if section.audience.iter().any(|audience| audience.trim().is_empty()) {
        report.error(&at, "this audience is empty", "write what the issuer puts into `aud` for this gateway");
    }
}

fn keys(section: &IssuerSection, at: &Path, report: &mut Report<'_>) {
    if section.secret.is_some() && section.jwks.is_some() {
        report.error(&at.key("jwks"), "an issuer has published keys or a secret, not both", "remove `jwks` or `secret`");
    }
    for (index, algorithm) in section.algorithms.iter().enumerate() {
        let at = at.key("algorithms").index(index);
        match (algorithm.is_symmetric(), section.secret.is_some()) {
            (true, false) => {
                let message = "this one is made with a secret, and `secret` names none";
                report.error(&at, message, "name one that has published keys, `RS256` or `ES256` say");
            }
            (false, true) => report.error(&at, "this one is not made with a secret", "write `HS256`, or leave `algorithms` out"),
            _ => {}
        }
    }
}

fn people(section: &IssuerSection, at: &Path, report: &mut Report<'_>) {
    let fields = [
        ("tenant", &section.tenant, "tenant_claim", &section.tenant_claim),
        ("team", &section.team, "team_claim", &section.team_claim),
    ];
    for (fixed, name, claim, by) in fields {
        if let Some(name) = name {
            if let Err(why) = name.parse::<Name>() {
                report.error(&at.key(fixed), format!("`{}` {why}", shown(name)), format!("write the name of a {fixed}"));
            }
            if by.is_some() {
                let message = format!("`{fixed}` and `{claim}` both say it");
                report.error(&at.key(claim), message, "keep one of the two");
            }
        }
    }
    if section.tenant.is_none() && section.tenant_claim.is_none() {
        for (field, given) in [("team", section.team.is_some()), ("team_claim", section.team_claim.is_some())] {
            if given {
                report.error(
                    &at.key(field),
                    "a team belongs to a tenant, and nothing names one",
                    "add `tenant` or `tenant_claim`",
                );
            }
        }
        if section.admin == Some(true) && section.role_claim.is_none() {
            let message = "all callers of this issuer administer the whole gateway";
            report.warning(&at.key("admin"), message, "say who they are with `tenant` or `role_claim`, if that is not meant");
        }
    }
    let claims = [
        ("tenant_claim", section.tenant_claim.as_ref()),
        ("team_claim", section.team_claim.as_ref()),
        ("user_claim", Some(&section.user_claim)),
        ("role_claim", section.role_claim.as_ref()),
    ];
    let labels = section.labels.iter().enumerate().map(|(index, claim)| (at.key("labels").index(index), claim));
    for (at, claim) in claims.into_iter().filter_map(|(field, claim)| Some((at.key(field), claim?))).chain(labels) {
        if claim.trim().is_empty() || claim.len() > 256 {
            report.error(
                &at,
                "this is no name of a claim",
                "write it as the token has it, or a JSON pointer: `/realm_access/roles`",
            );
        }
    }
    if section.labels.len() > 16 {
        report.error(&at.key("labels"), "there are more than 16 labels", "keep those that limits or reports need");
    }
}

fn roles(section: &IssuerSection, at: &Path, report: &mut Report<'_>) {
    let admin = section.admin == Some(true);
    let mapped = section.roles.iter().map(|(said, role)| (at.key("roles").key(said), role));
    for (at, role) in section.role.iter().map(|role| (at.key("role"), role)).chain(mapped) {
        if let Err(why) = role.parse::<Name>() {
            report.error(&at, format!("`{}` {why}", shown(role)), "write the name of a role, `admin` or `developer` say");
        } else if !admin && built_in(role).is_some_and(|all| !all.holds(Permission::Invoke)) {
            let message = format!("`{role}` may only look at things, and callers of this issuer may only call models");
            report.warning(&at, message, "write `developer`, or add `admin = true`");
        }
    }
    if section.role_claim.is_none() && section.roles.iter().next().is_some() {
        report.error(&at.key("roles"), "nothing says which claim names the role", "add `role_claim`");
    }
    if admin && section.role.is_none() && section.role_claim.is_none() {
        let message = "callers of this issuer have no role, so they cannot administer anything";
        report.error(&at.key("admin"), message, "add `role_claim`, or `role` for all of them");
    }
}

fn periods(section: &IssuerSection, at: &Path, report: &mut Report<'_>) {
    if section.leeway.0 > LARGEST_LEEWAY {
        let message = format!("{} is more than tokens can be late", section.leeway);
        report.error(&at.key("leeway"), message, "write at most \"60s\", and set the clocks");
    }
    if section.refresh.0 < SHORTEST_REFRESH || section.refresh.0 > super::LONGEST {
        report.error(
            &at.key("refresh"),
            format!("{} is not between 30s and 24h", section.refresh),
            "write a duration like \"10m\"",
        );
    }
    if section.grace.0 > LONGEST_GRACE {
        report.error(&at.key("grace"), format!("{} is longer than a week", section.grace), "write at most \"7d\"");
    } else if section.grace < section.refresh {
        let message =
            format!("`grace` ({}) is shorter than `refresh` ({}), so it never takes effect", section.grace, section.refresh);
        report.warning(&at.key("grace"), message, "make it the longer of the two");
    }
}
