//! A request's line in the log: core's JSON for machines, and how it looks to people.

use std::io::Write;

use edgeway_core::exchange::Record;
use edgeway_core::ports::Event;
use edgeway_core::usage::line;

use super::events::Style;

/// Appends the line of an event. People see requests in words, and anything else, which is rare, in full.
pub(crate) fn write(out: &mut Vec<u8>, style: Style, event: &Event) {
    match (style, event) {
        (Style::Pretty { colour }, Event::Request(record)) => pretty(out, record, colour),
        (style, event) => {
            let (dim, plain) = if style == (Style::Pretty { colour: true }) { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            put(out, format_args!("{dim}"));
            line::event(out, event);
            put(out, format_args!("{plain}\n"));
        }
    }
}

/// Appends the line that says how many lines are missing.
pub(crate) fn write_dropped(out: &mut Vec<u8>, style: Style, dropped: u64) {
    match style {
        Style::Json => put(out, format_args!("{{\"event\":\"log_lines_dropped\",\"dropped\":{dropped}}}\n")),
        Style::Pretty { .. } => put(out, format_args!("({dropped} lines dropped: the reader of this log is too slow)\n")),
    }
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
    text.chars().map(|c| if c.is_control() || line::acts(c) { '?' } else { c }).collect()
}

fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("writing to a Vec never fails");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use edgeway_core::chat::Usage;
    use edgeway_core::exchange::Outcome;
    use edgeway_core::ports::Timestamp;

    fn text(style: Style, record: &Record) -> String {
        let mut out = Vec::new();
        write(&mut out, style, &Event::Request(Box::new(record.clone())));
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
            assert!(!line.trim_end().chars().any(|c| c.is_control() || line::acts(c)), "{line:?}");
            assert!(line.contains("é€😀"));
        }
    }
}
