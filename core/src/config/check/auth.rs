//! Who must show a key, and how long what is known of one is good.

use std::time::Duration;

use super::super::diagnostic::{Report, shown};
use super::super::document::Document;
use super::super::path::Path;

/// The longest that a revoked key may stay good everywhere.
const LONGEST_REFRESH: Duration = Duration::from_secs(60);
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 3600);

pub(super) fn auth(document: &Document, report: &mut Report<'_>) {
    let auth = &document.auth;
    let at = Path::of(&["auth"]);
    if auth.refresh.0 > LONGEST_REFRESH {
        let message = format!("{} is longer than a minute, for which a revoked key would stay good", auth.refresh);
        report.error(&at.key("refresh"), message, "write at most \"60s\"; \"0s\" asks the store for every request");
    }
    if auth.grace.0 > LONGEST_GRACE {
        report.error(&at.key("grace"), format!("{} is longer than a day", auth.grace), "write at most \"24h\"");
    }
    let keys = !auth.keys.is_empty() || report.layers().is_filled(&at.key("keys"));
    let named = keys || auth.issuers.names().next().is_some();
    if auth.required == Some(false) && named {
        let (what, help) = match keys {
            true => ("`auth.keys` names keys, so callers must show one", "remove this line, or empty `auth.keys`"),
            false => ("`auth.issuers` names issuers, so callers must show a token", "remove this line, or the issuers"),
        };
        report.error(&at.key("required"), what, help);
    }
    let open = !named && auth.required != Some(true);
    for (name, _) in document.routes.iter().filter(|(_, route)| open && route.anonymous == Some(true)) {
        let at = Path::of(&["routes", name, "anonymous"]);
        let message = format!("nobody needs a key here, for `{}` or any other route", shown(name));
        report.warning(&at, message, "name a secret in `auth.keys`, write `auth.required = true`, or remove this line");
    }
}
