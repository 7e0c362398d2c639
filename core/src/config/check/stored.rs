//! How often the stored document is asked for, and what it cannot change.

use std::time::Duration;

use super::super::diagnostic::Report;
use super::super::document::{ConfigSection, ServerSection};
use super::super::path::Path;
use super::super::versions::STORED;

pub(super) fn refresh(config: &ConfigSection, report: &mut Report<'_>) {
    let at = Path::of(&["config", "refresh"]);
    let refresh = config.refresh;
    if refresh.0 < Duration::from_secs(1) {
        report.error(
            &at,
            format!("{refresh} is less than a second"),
            "write a duration like \"10s\": each look costs a read of the store",
        );
    } else if refresh.0 > Duration::from_secs(24 * 3600) {
        report.error(&at, format!("{refresh} is longer than a day"), "write at most \"24h\"");
    }
}

/// What a server reads once, when it starts, before there is a stored document. `max_body` is read for every request.
pub(super) fn server(report: &mut Report<'_>) {
    let once = ServerSection::SECTION.fields.iter().map(|field| field.name).filter(|name| *name != "max_body");
    for name in once {
        let at = Path::of(&["server", name]);
        if report.layers().has(&at) && &*report.layers().origin(&at.to_string()).layer == STORED {
            let message = format!("a server has read `{at}` before it reads a stored document, so this has no effect");
            report.warning(&at, message, "write it into the file or a variable, and start the server again");
        }
    }
}
