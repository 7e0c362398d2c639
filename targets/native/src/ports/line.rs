//! A request's line in the log: which fields, in which order, and how they look to people.
//!
//! Fields that say nothing (no error, nothing lost in translation) are left out. Durations are in
//! milliseconds with three decimals, times in RFC 3339, UTC.

use std::io::Write;
use std::time::Duration;

use edgeway_core::exchange::Record;
use edgeway_core::ports::Timestamp;

use super::events::Style;

/// Appends the line of a request.
pub(super) fn write(out: &mut Vec<u8>, style: Style, record: &Record) {
    match style {
        Style::Json => json(out, record),
        Style::Pretty { colour } => pretty(out, record, colour),
    }
}

/// Appends the line that says how many lines are missing.
pub(super) fn write_dropped(out: &mut Vec<u8>, style: Style, dropped: u64) {
    match style {
        Style::Json => put(out, format_args!("{{\"event\":\"log_lines_dropped\",\"dropped\":{dropped}}}\n")),
        Style::Pretty { .. } => put(out, format_args!("({dropped} lines dropped: the reader of this log is too slow)\n")),
    }
}

fn json(out: &mut Vec<u8>, record: &Record) {
    out.extend_from_slice(b"{\"time\":\"");
    time(out, record.received);
    out.push(b'"');
    let mut text = |name: &str, value: &str| {
        if !value.is_empty() {
            put(out, format_args!(",\"{name}\":"));
            quoted(out, value);
        }
    };
    text("id", &record.id);
    text("method", &record.method);
    text("path", &record.path);
    text("operation", record.operation);
    text("dialect", record.dialect);
    text("caller", record.caller.as_deref().unwrap_or_default());
    text("model", &record.model);
    text("route", record.route.as_deref().unwrap_or_default());
    text("provider", record.provider.as_deref().unwrap_or_default());
    text("upstream_model", record.upstream_model.as_deref().unwrap_or_default());
    text("upstream_id", record.upstream_id.as_deref().unwrap_or_default());
    text("path_taken", record.path_taken);
    text("outcome", record.outcome.map(|outcome| outcome.name()).unwrap_or_default());
    text("error", record.error.unwrap_or_default());
    text("cause", record.cause.as_deref().unwrap_or_default());
    text("warnings", &record.warnings);
    put(out, format_args!(",\"status\":{},\"attempts\":{}", record.status, record.attempts));
    if record.stream {
        out.extend_from_slice(b",\"stream\":true");
    }
    if record.skipped > 0 {
        put(out, format_args!(",\"skipped\":{}", record.skipped));
    }
    if let Some(usage) = &record.usage {
        out.extend_from_slice(b",\"usage\":{");
        let mut first = true;
        for (name, tokens) in [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write_5m", usage.cache_write_5m),
            ("cache_write_1h", usage.cache_write_1h),
            ("audio_input", usage.audio_input),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
            ("audio_output", usage.audio_output),
        ] {
            if tokens > 0 {
                put(out, format_args!("{}\"{name}\":{tokens}", if first { "" } else { "," }));
                first = false;
            }
        }
        out.push(b'}');
        if record.estimated {
            out.extend_from_slice(b",\"estimated\":true");
        }
    }
    if let Some(first_byte) = record.first_byte {
        out.extend_from_slice(b",\"first_byte_ms\":");
        milliseconds(out, first_byte);
    }
    out.extend_from_slice(b",\"elapsed_ms\":");
    milliseconds(out, record.elapsed);
    out.extend_from_slice(b"}\n");
}

fn pretty(out: &mut Vec<u8>, record: &Record, colour: bool) {
    let paint = |code: &'static str| if colour { code } else { "" };
    let (dim, plain) = (paint("\x1b[2m"), paint("\x1b[0m"));
    let status = match record.status {
        200..=399 => paint("\x1b[32m"),
        400..=499 => paint("\x1b[33m"),
        _ => paint("\x1b[31m"),
    };
    let clock = record.received.seconds() % 86_400;
    put(out, format_args!("{dim}{:02}:{:02}:{:02}{plain} ", clock / 3600, clock / 60 % 60, clock % 60));
    put(out, format_args!("{status}{}{plain} {} ", record.status, printable(&record.method)));
    put(out, format_args!("{}", printable(&record.path)));
    if !record.model.is_empty() {
        put(out, format_args!(" {}", printable(&record.model)));
    }
    if let (Some(provider), model) = (&record.provider, record.upstream_model.as_deref().unwrap_or_default()) {
        let target = format!("{provider}/{model}");
        if target != record.model {
            put(out, format_args!(" {dim}->{plain} {}", printable(target.trim_end_matches('/'))));
        }
    }
    if let Some(usage) = &record.usage {
        let about = if record.estimated { "~" } else { "" };
        put(out, format_args!(" {about}{}+{} tokens", usage.input_total(), usage.output_total()));
    }
    put(out, format_args!(" {dim}{:.1} ms", record.elapsed.as_secs_f64() * 1000.0));
    if let Some(first_byte) = record.first_byte.filter(|_| record.stream) {
        put(out, format_args!(", first {:.1} ms", first_byte.as_secs_f64() * 1000.0));
    }
    put(out, format_args!("{plain}"));
    if let Some(error) = record.error {
        put(out, format_args!(" {status}{error}{plain}"));
    }
    if let Some(cause) = &record.cause {
        put(out, format_args!(" {dim}{}{plain}", printable(cause)));
    }
    if !record.warnings.is_empty() {
        put(out, format_args!(" {dim}lost: {}{plain}", printable(&record.warnings)));
    }
    out.push(b'\n');
}

/// What a caller wrote, without the characters that move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || acts(c) { '?' } else { c }).collect()
}

fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("writing to a Vec never fails");
}

/// A JSON string that is safe on a terminal too: JSON leaves some characters as they are that move a cursor
/// (C1 controls) or turn text around.
fn quoted(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    out.push(b'"');
    while !rest.is_empty() {
        let end = rest.find(acts).unwrap_or(rest.len());
        let start = out.len();
        serde_json::to_writer(&mut *out, &rest[..end]).expect("a string is always JSON, and writing to a Vec never fails");
        out.remove(start);
        out.pop();
        let mut behind = rest[end..].chars();
        if let Some(character) = behind.next() {
            put(out, format_args!("\\u{:04x}", u32::from(character)));
        }
        rest = behind.as_str();
    }
    out.push(b'"');
}

/// Whether a terminal or a viewer acts on a character instead of showing it; all of them are below U+10000.
fn acts(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn milliseconds(out: &mut Vec<u8>, duration: Duration) {
    let micros = duration.as_micros();
    put(out, format_args!("{}.{:03}", micros / 1000, micros % 1000));
}

/// RFC 3339 with microseconds. Days to a civil date after Howard Hinnant's `civil_from_days`.
fn time(out: &mut Vec<u8>, at: Timestamp) {
    let (days, second) = (at.seconds() / 86_400, at.seconds() % 86_400);
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153; // March is 0
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, micros) = (second / 3600, second / 60 % 60, at.0 % 1_000_000);
    put(out, format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{micros:06}Z", second % 60));
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeway_core::chat::Usage;
    use edgeway_core::exchange::Outcome;

    fn text(style: Style, record: &Record) -> String {
        let mut out = Vec::new();
        write(&mut out, style, record);
        String::from_utf8(out).expect("UTF-8")
    }

    fn full() -> Record {
        Record {
            id: "req_1".into(),
            received: Timestamp(1_709_210_096_000_007), // 2024-02-29, a leap day
            method: "POST".into(),
            path: "/v1/chat/completions".into(),
            operation: "chat",
            dialect: "openai_chat",
            model: "smart\"\n".into(),
            provider: Some("anthropic".into()),
            upstream_model: Some("claude-x".into()),
            path_taken: "translate",
            attempts: 2,
            status: 200,
            outcome: Some(Outcome::Complete),
            usage: Some(Usage { input: 3, output: 4, ..Usage::default() }),
            stream: true,
            first_byte: Some(Duration::from_micros(1_500)),
            elapsed: Duration::from_micros(20_020),
            ..Record::default()
        }
    }

    #[test]
    fn a_line_is_one_json_object_and_leaves_out_what_says_nothing() {
        let line = text(Style::Json, &full());
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["time"], "2024-02-29T12:34:56.000007Z");
        assert_eq!(value["model"], "smart\"\n");
        assert_eq!(value["usage"], serde_json::json!({"input": 3, "output": 4}));
        assert_eq!(value["first_byte_ms"], 1.5);
        assert_eq!(value["elapsed_ms"], 20.02);
        assert!(value.get("error").is_none() && value.get("warnings").is_none() && value.get("estimated").is_none());
    }

    #[test]
    fn a_pretty_line_cannot_be_broken_by_what_a_caller_wrote() {
        let record = Record { model: "\x1b[2Jevil\n".into(), ..full() };
        let line = text(Style::Pretty { colour: false }, &record);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.contains('\x1b'));
        assert!(
            line.contains("200 POST /v1/chat/completions ?[2Jevil? -> anthropic/claude-x 3+4 tokens 20.0 ms, first 1.5 ms"),
            "{line}"
        );
    }

    #[test]
    fn no_line_acts_on_a_terminal() {
        let evil = "a\u{9b}31m\u{7f}\u{202e}\u{2028}\"\n\x1b[2J\u{2066}é€😀";
        let record = Record { upstream_id: Some(evil.into()), cause: Some(evil.into()), ..full() };
        let json = text(Style::Json, &record);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["upstream_id"], evil);
        for line in [json, text(Style::Pretty { colour: false }, &record)] {
            assert!(!line.trim_end().chars().any(|c| c.is_control() || acts(c)), "{line:?}");
            assert!(line.contains("é€😀"));
        }
    }

    #[test]
    fn dates_are_right_around_leap_years_and_centuries() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000000Z"),
        ] {
            let mut out = Vec::new();
            time(&mut out, Timestamp(seconds * 1_000_000));
            assert_eq!(String::from_utf8_lossy(&out), date);
        }
    }
}
