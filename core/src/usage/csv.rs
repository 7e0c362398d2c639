//! Rows and groups as CSV (RFC 4180), for spreadsheets.
//!
//! Invariant: no cell begins with a character that makes a spreadsheet run it (`=`, `+`, `-`, `@`, a tab, a return); text that
//! callers wrote gets an apostrophe before it there.

use std::fmt::Write as _;

use super::{Buckets, Dimension, Group, Row};

const TOKENS: &str = "input,cache_read,cache_write_5m,cache_write_1h,audio_input,output,reasoning,audio_output";

/// One line a record.
pub fn rows<'a>(rows: impl IntoIterator<Item = &'a Row>) -> String {
    let mut out = format!(
        "time,id,tenant,team,application,key,user,labels,operation,dialect,model,route,provider,upstream_model,because,outcome,\
         error,status,attempts,stream,{TOKENS},estimated,cost_usd,first_byte_ms,elapsed_ms,warnings\r\n"
    );
    for row in rows {
        let labels: Vec<String> = row.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for text in [
            &row.time,
            &row.id,
            &row.tenant,
            &row.team,
            &row.application,
            &row.caller,
            &row.user,
            &labels.join(";"),
            &row.operation,
            &row.dialect,
            &row.model,
            &row.route,
            &row.provider,
            &row.upstream_model,
            &row.because,
            &row.outcome,
            &row.error,
        ] {
            cell(&mut out, text);
            out.push(',');
        }
        let _ = write!(out, "{},{},{},", row.status, row.attempts, row.stream);
        tokens(&mut out, &row.usage.unwrap_or_default());
        let cost = row.cost.map(|cost| dollars(&cost)).unwrap_or_default();
        let first_byte = row.first_byte_ms.map(|time| time.to_string()).unwrap_or_default();
        let _ = write!(out, ",{},{cost},{first_byte},{},", row.estimated, row.elapsed_ms);
        cell(&mut out, &row.warnings);
        out.push_str("\r\n");
    }
    out
}

/// One line a group: what it has in common, then its sums.
pub fn groups(groups: &[Group], by: &[Dimension]) -> String {
    let mut out = String::new();
    for dimension in by {
        cell(&mut out, &dimension.name());
        out.push(',');
    }
    let _ = write!(out, "requests,errors,{TOKENS},cost_usd,unpriced,estimated,answered,first_byte_ms,elapsed_ms\r\n");
    for group in groups {
        for dimension in by {
            cell(&mut out, group.by.get(&*dimension.name()).map_or("", String::as_str));
            out.push(',');
        }
        let _ = write!(out, "{},{},", group.requests, group.errors);
        tokens(&mut out, &group.tokens);
        let _ = write!(
            out,
            ",{},{},{},{},{},{}\r\n",
            dollars(&group.cost),
            group.unpriced,
            group.estimated,
            group.answered,
            group.first_byte_ms,
            group.elapsed_ms
        );
    }
    out
}

fn tokens(out: &mut String, tokens: &Buckets) {
    let Buckets { input, cache_read, cache_write_5m, cache_write_1h, audio_input, output, reasoning, audio_output } = tokens;
    let _ =
        write!(out, "{input},{cache_read},{cache_write_5m},{cache_write_1h},{audio_input},{output},{reasoning},{audio_output}");
}

/// A number, as its column says of what.
fn dollars(amount: &super::NanoUsd) -> String {
    amount.to_string().trim_end_matches("usd").to_owned()
}

fn cell(out: &mut String, text: &str) {
    let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !runs && !text.contains(['"', ',', '\r', '\n']) {
        return out.push_str(text);
    }
    out.push('"');
    if runs {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{NanoUsd, groups as added};

    #[test]
    fn what_callers_wrote_stays_one_cell_and_does_nothing() {
        let row = Row {
            id: "req_1".into(),
            model: "=cmd|'/c calc'!A0".into(),
            user: "a,\"b\"\nc".into(),
            usage: Some(Buckets { input: 3, output: 4, ..Buckets::default() }),
            cost: Some(NanoUsd(1_500)),
            first_byte_ms: Some(1.5),
            status: 200,
            ..Row::default()
        };
        let text = rows([&row]);
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 3);
        let expected =
            ",req_1,,,,,\"a,\"\"b\"\"\nc\",,,,\"'=cmd|'/c calc'!A0\",,,,,,,200,0,false,3,0,0,0,0,4,0,0,false,0.0000015,1.5,0,";
        assert_eq!(lines[1], expected);
        let by = [Dimension::parse("model").expect("a dimension")];
        let text = groups(&added([&row, &row], &by), &by);
        assert_eq!(text.lines().nth(1), Some("\"'=cmd|'/c calc'!A0\",2,0,6,0,0,0,0,8,0,0,0.000003,0,0,2,4,0"));
    }
}
