//! How often the stored document is asked for, what it cannot change, and how long records are kept.

use std::time::Duration;

use super::super::diagnostic::Report;
use super::super::document::{ConfigSection, ServerSection, UsageSection};
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

/// How long records are kept: as long as the stores can, and no less than anybody looks back.
pub(super) fn usage(usage: &UsageSection, report: &mut Report<'_>) {
    let at = Path::of(&["usage", "retention"]);
    let retention = usage.retention;
    if retention.0 < Duration::from_secs(3600) {
        report.error(
            &at,
            format!("{retention} is less than an hour"),
            "write a duration like \"90d\", or set `usage.store` to false",
        );
    } else if retention.0 > Duration::from_secs(3650 * 24 * 3600) {
        report.error(&at, format!("{retention} is longer than ten years"), "write at most \"3650d\"");
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
