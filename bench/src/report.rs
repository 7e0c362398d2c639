//! Medians of the JSON lines by scenario and gateway, with ratios to a baseline.
use crate::args::Args;
use serde_json::Value;
use std::collections::BTreeMap;

fn num(v: &Value, path: &str) -> Option<f64> {
    v.pointer(path)?.as_f64()
}

fn median(mut v: Vec<f64>) -> Option<f64> {
    v.sort_by(f64::total_cmp);
    match v.len() {
        0 => None,
        n if n % 2 == 1 => Some(v[n / 2]),
        n => Some((v[n / 2 - 1] + v[n / 2]) / 2.0),
    }
}

fn show(x: Option<f64>) -> String {
    match x {
        None => "-".into(),
        Some(x) if x.abs() >= 1000.0 => format!("{x:.0}"),
        Some(x) if x.abs() >= 10.0 => format!("{x:.1}"),
        Some(x) => format!("{x:.2}"),
    }
}

const COLS: &[(&str, &str)] = &[
    ("rps", "/rps"),
    ("req/cpu-s", "/req_per_cpu_s"),
    ("cpu us/chunk", "/cpu_us_per_chunk"),
    ("p50 us", "/lat_us/p50"),
    ("p99 us", "/lat_us/p99"),
    ("p99.9 us", "/lat_us/p999"),
    ("transit p50", "/transit_us/p50"),
    ("transit p99", "/transit_us/p99"),
    ("jitter p99", "/jitter_us/p99"),
    ("held", "/held_max"),
    ("cpu util", "/cpu_util"),
    ("rss MiB", "/rss_max_mib"),
];

pub fn run(args: Args) {
    let base = args.str("baseline", "nginx");
    let mut rows: BTreeMap<String, Vec<(String, Vec<Value>)>> = BTreeMap::new();
    for f in args.all("").chain(args.all("in")) {
        for l in std::fs::read_to_string(f).unwrap_or_default().lines() {
            let Ok(v) = serde_json::from_str::<Value>(l) else {
                continue;
            };
            let s = |k: &str| v[k].as_str().unwrap_or("?").to_string();
            let g = rows.entry(s("scenario")).or_default();
            match g.iter_mut().find(|(n, _)| *n == s("gw")) {
                Some((_, list)) => list.push(v),
                None => g.push((s("gw"), vec![v])),
            }
        }
    }
    for (scenario, gws) in rows {
        println!("\n### {scenario}\n");
        let used: Vec<_> = COLS.iter().filter(|(_, p)| gws.iter().any(|(_, l)| l.iter().any(|v| num(v, p).is_some()))).collect();
        let med = |l: &[Value], p: &str| median(l.iter().filter_map(|v| num(v, p)).collect());
        let spread = |l: &[Value], p: &str| {
            let v: Vec<f64> = l.iter().filter_map(|v| num(v, p)).collect();
            let (lo, hi) = v.iter().fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
            if v.len() > 1 { format!("{:.0}%", (hi - lo) / median(v).unwrap_or(1.0) * 100.0) } else { "-".into() }
        };
        println!(
            "| gateway | runs | bad | {} | x {base} req/cpu-s | spread |",
            used.iter().map(|c| c.0).collect::<Vec<_>>().join(" | ")
        );
        println!("|---|---|---|{}---|---|", "---|".repeat(used.len()));
        let b = gws.iter().find(|(n, _)| *n == base).and_then(|(_, l)| med(l, "/req_per_cpu_s")).filter(|b| *b > 0.0);
        for (name, l) in &gws {
            let bad: f64 = l.iter().map(|v| num(v, "/bad").unwrap_or(0.0) + num(v, "/io_err").unwrap_or(0.0)).sum();
            let cells: Vec<String> = used.iter().map(|(_, p)| show(med(l, p))).collect();
            let ratio = b.and_then(|b| med(l, "/req_per_cpu_s").map(|x| x / b));
            println!(
                "| {name} | {} | {bad} | {} | {} | {} |",
                l.len(),
                cells.join(" | "),
                ratio.map_or("-".into(), |r| format!("{r:.3}")),
                spread(l, "/req_per_cpu_s")
            );
        }
    }
}
