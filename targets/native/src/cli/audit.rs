//! `edgeway audit`: who did what, and whether the trail still says so.
//!
//! Verifying takes nobody's word: every hash is computed here, from the entries themselves.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use edgeway_core::audit::{Broken, End, Entry, Verifier};
use serde_json::{Value, json};

use super::config::say;
use super::configuration::{self, Failure};
use super::desk::{Ask, Desk, detail, encoded};
use super::output::{Output, Paint, paint, table};

const EXAMPLES: &str = "\
Examples:
  edgeway audit list                                 the last 50 entries
  edgeway audit list --tenant acme --outcome denied  who was turned away
  edgeway audit list --limit 1000 --json             for scripts
  edgeway audit verify                               recompute every hash
  edgeway audit verify --expect 412:9c56...          ... and see that the trail leads through the end of an earlier day

With --gateway the gateway there is asked over HTTP, with the key in EDGEWAY_ADMIN_KEY (or a file that EDGEWAY_ADMIN_KEY_FILE
names). Without it the store that the local configuration chooses is used directly.

Exit codes: 0 done, 1 it could not be done or an entry is not what was written, 2 the command line is wrong.";

/// How many entries are asked for at once.
const PAGE: usize = 200;

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Ask the gateway at this address [default: use the store of the local configuration].
    #[arg(long, global = true, value_name = "URL")]
    gateway: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// List the last entries, oldest first.
    List(Wanted),
    /// Check that every entry is what was written.
    Verify {
        /// An end of the trail as it was printed earlier: the trail has to lead through it.
        #[arg(long, value_name = "SEQ:HASH", value_parser = end)]
        expect: Option<(u64, String)>,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Wanted {
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    limit: u64,
    /// Only of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Only by this author.
    #[arg(long)]
    by: Option<String>,
    /// Only of this endpoint, `keys_create` say.
    #[arg(long)]
    action: Option<String>,
    /// Only what came out so.
    #[arg(long)]
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Outcome {
    Begun,
    Done,
    Failed,
    Denied,
}

fn end(text: &str) -> Result<(u64, String), String> {
    let (seq, hash) = text.split_once(':').ok_or("write SEQ:HASH, as `edgeway audit verify` prints it")?;
    let seq = seq.parse().map_err(|_| format!("`{seq}` is not the number of an entry"))?;
    match Verifier::new().expect(seq, hash) {
        Some(_) => Ok((seq, hash.to_owned())),
        None => Err("the hash is not 64 hexadecimal digits".to_owned()),
    }
}

pub(super) fn run(arguments: &Arguments, config: Option<PathBuf>, output: &Output) -> ExitCode {
    match attempt(arguments, config, output) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => super::failed(&failure, output),
    }
}

/// Whether it could be done, and all is well.
fn attempt(arguments: &Arguments, config: Option<PathBuf>, output: &Output) -> Result<bool, Failure> {
    let desk = Desk::open(arguments.gateway.as_deref(), config)?;
    let done = configuration::wait(async {
        match &arguments.command {
            Command::List(wanted) => list(&desk, wanted, output).await,
            Command::Verify { expect } => verify(&desk, expect.clone(), output).await,
        }
    });
    desk.close();
    done?
}

async fn get(desk: &Desk, path: String) -> Result<Value, Failure> {
    let answer = desk.ask(Ask::get(path)).await?;
    match answer.status.is_success() {
        true => Ok(answer.body().clone()),
        false => Err(Failure::Other(detail(answer.body()))),
    }
}

impl Wanted {
    /// What is left of the query when its place in the list is taken away.
    fn query(&self) -> String {
        let outcome = self.outcome.and_then(|outcome| outcome.to_possible_value()).map(|value| value.get_name().to_owned());
        let fields = [
            ("tenant", self.tenant.as_ref()),
            ("by", self.by.as_ref()),
            ("action", self.action.as_ref()),
            ("outcome", outcome.as_ref()),
        ];
        fields.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", encoded(value?)))).collect()
    }
}

async fn list(desk: &Desk, wanted: &Wanted, output: &Output) -> Result<bool, Failure> {
    let (query, most) = (wanted.query(), usize::try_from(wanted.limit).unwrap_or(usize::MAX));
    let mut after = "0".to_owned();
    if query.is_empty() {
        let end = get(desk, "audit?limit=1".to_owned()).await?["end"]["seq"].as_u64().unwrap_or(0);
        after = end.saturating_sub(wanted.limit).to_string();
    }
    let mut last = VecDeque::new();
    let broken = loop {
        let page = get(desk, format!("audit?limit={PAGE}&after={after}{query}")).await?;
        last.extend(page["items"].as_array().cloned().unwrap_or_default());
        last.drain(..last.len().saturating_sub(most));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break page["broken"].clone(),
        }
    };
    if output.json {
        output.print_json(&json!({"items": last, "broken": broken}));
    } else if last.is_empty() {
        output.say("nothing is on record\n");
    } else {
        output.print(&rows(&last, output));
    }
    if broken.is_object() && !output.json {
        output.error(&format!("the trail cannot be read on: entry {}: {}", broken["seq"], say::text(&broken["why"])));
    }
    Ok(!broken.is_object())
}

fn rows(entries: &VecDeque<Value>, output: &Output) -> String {
    let mut rows = vec![["SEQ", "WHEN", "BY", "OUTCOME", "ACTION", "OBJECT", "DETAIL"].map(str::to_owned).to_vec()];
    for entry in entries {
        let detail = entry["detail"].as_object().into_iter().flatten();
        let detail: Vec<_> = detail.map(|(name, value)| format!("{name}={}", say::text(value))).collect();
        let by = say::text(&entry["by"]);
        rows.push(vec![
            entry["seq"].to_string(),
            say::moment(entry),
            if by.is_empty() { "-".to_owned() } else { by },
            say::text(&entry["outcome"]),
            say::text(&entry["action"]),
            say::text(&entry["object"]),
            detail.join(" "),
        ]);
    }
    table(output.colour, &rows)
}

async fn verify(desk: &Desk, expect: Option<(u64, String)>, output: &Output) -> Result<bool, Failure> {
    let mut verifier = Verifier::new();
    if let Some(expecting) = expect.and_then(|(seq, hash)| Verifier::new().expect(seq, &hash)) {
        verifier = expecting;
    }
    let mut end = End { seq: 0, hash: String::new() };
    let broken = check(desk, &mut verifier, &mut end).await?;
    let checked = verifier.seq();
    if output.json {
        output.print_json(&json!({"intact": broken.is_none(), "checked": checked, "broken": broken, "end": end}));
        return Ok(broken.is_none());
    }
    match &broken {
        Some(Broken { seq, why }) => {
            output.error(&format!("entry {seq} is not what was written: {why}; {checked} entries before it are good"));
        }
        None => {
            let intact = paint(output.colour, Paint::Green, "intact");
            output.print(&format!("{checked} entries, {intact}; the end is {}:{}\n", end.seq, end.hash));
        }
    }
    Ok(broken.is_none())
}

/// Checks all entries; gives the first that is wrong.
async fn check(desk: &Desk, verifier: &mut Verifier, end: &mut End) -> Result<Option<Broken>, Failure> {
    let mut after = "0".to_owned();
    loop {
        let page = get(desk, format!("audit?limit={PAGE}&after={after}")).await?;
        *end = End { seq: page["end"]["seq"].as_u64().unwrap_or(0), hash: say::text(&page["end"]["hash"]) };
        for item in page["items"].as_array().into_iter().flatten() {
            let found = match serde_json::from_value::<Entry>(item.clone()) {
                Ok(entry) => verifier.check(&entry).err(),
                Err(error) => Some(Broken { seq: verifier.seq() + 1, why: format!("it cannot be read: {error}") }),
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        if let Some(broken) = broken(&page["broken"]) {
            return Ok(Some(broken));
        }
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    if let Err(broken) = verifier.finish(end) {
        return Ok(Some(broken));
    }
    // What only the gateway can see: whether there was another trail before.
    let verdict = get(desk, format!("audit/verify?after={}", end.seq)).await?;
    Ok(broken(&verdict["broken"]))
}

fn broken(value: &Value) -> Option<Broken> {
    value.is_object().then(|| Broken { seq: value["seq"].as_u64().unwrap_or(0), why: say::text(&value["why"]) })
}
