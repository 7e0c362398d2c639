//! Listening, TLS, time and size limits.

use super::super::address::{Listen, Reach, listen, reach};
use super::super::diagnostic::{Report, shown};
use super::super::document::{ServerSection, TimeoutsSection};
use super::super::path::Path;
use super::super::size::Size;
use super::super::store::StoreChoice;
use super::{body_limit, budget, budget_order, count};

pub(super) fn server(server: &ServerSection, report: &mut Report<'_>) {
    let at = Path::of(&["server"]);
    if listen(&server.listen) == Listen::Invalid {
        let message = format!("`{}` is not an address with a port", shown(&server.listen));
        let help = "write \"127.0.0.1:8787\" for this machine only, \"0.0.0.0:8787\" for every network (that needs `auth.keys`)";
        report.error(&at.key("listen"), message, help);
    }
    body_limit(server.max_body, &at.key("max_body"), report);
    if server.max_header < Size(1 << 10) || server.max_header > Size(1 << 20) {
        let message = format!("{} is not between 1KiB and 1MiB", server.max_header);
        report.error(&at.key("max_header"), message, "write a size like \"64KiB\"");
    }
    count(server.max_headers, 1000, &at.key("max_headers"), report);
    count(server.max_connections, 1_000_000, &at.key("max_connections"), report);
    budget(server.header_timeout, &at.key("header_timeout"), report);
    budget(server.body_timeout, &at.key("body_timeout"), report);
    for (name, period) in [("drain", server.drain), ("drain_delay", server.drain_delay)] {
        if period.0 > std::time::Duration::from_secs(3600) {
            let message = format!("{period} is longer than any platform waits for a server to end");
            report.error(&at.key(name), message, "write at most \"1h\"");
        }
    }
    store(server, &at, report);
    if let Some(tls) = &server.tls {
        for (name, file) in [("certificate", &tls.certificate), ("key", &tls.key)] {
            let at = at.key("tls").key(name);
            if file.contains("-----BEGIN") {
                let help =
                    "put it into a file and write the file's name; if it is the key, replace it, for this document held it";
                report.error(&at, "this is a PEM text; only the name of a file may stand here", help);
            } else if file.trim().is_empty() {
                report.error(&at, "this is no name of a file", "write the name of a PEM file");
            }
        }
    }
}

fn store(server: &ServerSection, at: &Path, report: &mut Report<'_>) {
    let redis = match &server.store {
        Some(StoreChoice::Redis(address)) => Some(address),
        _ => None,
    };
    let unreadable = server.store.is_none() && report.layers().has(&at.key("store"));
    if redis.is_none() && server.store_password.is_some() && !unreadable {
        report.warning(&at.key("store_password"), "this store takes no password", "remove this line, or choose Redis in `store`");
    }
    if let Some(address) = redis.filter(|address| !address.tls && reach(&format!("http://{}", address.host)) == Reach::Public) {
        let message = format!("state and password travel to `{}` unencrypted", shown(&address.host));
        report.warning(&at.key("store"), message, "write `rediss://` for TLS");
    }
}

pub(super) fn timeouts(timeouts: &TimeoutsSection, report: &mut Report<'_>) {
    let at = Path::of(&["timeouts"]);
    let fields =
        [("connect", timeouts.connect), ("first_byte", timeouts.first_byte), ("idle", timeouts.idle), ("total", timeouts.total)];
    for (name, period) in fields {
        budget(period, &at.key(name), report);
    }
    // Someone who shortens `total` alone need not hear that the default first_byte is longer.
    if report.layers().has(&at.key("first_byte")) {
        budget_order(timeouts.total, timeouts.first_byte, &at, report);
    }
}
