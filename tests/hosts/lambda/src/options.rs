//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::event::Source;

pub(crate) const HELP: &str = "\
edgeway-lambda-host --config FILE [options]

  --config FILE          shipped with the function as edgeway.toml
  --bootstrap FILE       the function [default: `bootstrap` beside this program]
  --instances N          sandboxes, each with one request at a time [default: 4]
  --source KIND          who sends the events: url, http-api, rest-api, alb [default: url]
  --time-limit SECONDS   what an invocation may take [default: 900]
  --unready              serve although the function says that it is not ready
  --freeze               stop a sandbox right after each answer's last byte, until its next invocation
  --stores WHICH         start stand-ins, with table, bucket and queue: `all` of DynamoDB (dynalite), S3 and SQS (moto);
                         `table` alone; `needed`, the table if the document has administrators, limits, budgets or issuers [default: none]
  --tools DIR            where those are installed, as `cargo xtask install lambda` does it
  --state DIR            keep DynamoDB's data there between runs

The environment is the function's: bindings and secrets.
";

/// Which stores are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    None,
    Needed,
    Table,
    All,
}

/// Sections whose gateways keep something.
const KEEP: [&str; 4] = ["[admin]", "[limits.", "[budgets.", "[auth.issuers."];

impl Which {
    fn parse(word: &str) -> Result<Self, String> {
        match word {
            "all" => Ok(Self::All),
            "table" => Ok(Self::Table),
            "needed" => Ok(Self::Needed),
            other => Err(format!("there are no stores {other}: all, table or needed")),
        }
    }

    /// What a document needs: only administration, limits, budgets and issuers keep something.
    pub(crate) fn of(self, document: &str) -> Self {
        match self {
            Self::Needed if document.lines().any(|line| KEEP.iter().any(|section| line.trim().starts_with(section))) => {
                Self::Table
            }
            Self::Needed => Self::None,
            given => given,
        }
    }
}

/// What the command line says.
pub(crate) struct Options {
    pub(crate) config: Option<PathBuf>,
    pub(crate) bootstrap: PathBuf,
    pub(crate) instances: usize,
    pub(crate) source: Source,
    pub(crate) time_limit: Duration,
    pub(crate) freeze: bool,
    pub(crate) unready: bool,
    pub(crate) stores: Which,
    pub(crate) tools: Option<PathBuf>,
    pub(crate) state: Option<PathBuf>,
}

impl Options {
    /// Reads it.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let beside = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("bootstrap");
        let mut options = Self {
            config: None,
            bootstrap: beside,
            instances: 4,
            source: Source::FunctionUrl,
            time_limit: Duration::from_secs(900),
            freeze: false,
            unready: false,
            stores: Which::None,
            tools: None,
            state: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--config" => options.config = Some(value()?.into()),
                "--bootstrap" => options.bootstrap = value()?.into(),
                "--instances" => options.instances = number(&value()?)?,
                "--source" => options.source = Source::parse(&value()?)?,
                "--time-limit" => options.time_limit = Duration::from_secs(number(&value()?)? as u64),
                "--freeze" => options.freeze = true,
                "--unready" => options.unready = true,
                "--stores" => options.stores = Which::parse(&value()?)?,
                "--tools" => options.tools = Some(value()?.into()),
                "--state" => options.state = Some(value()?.into()),
                _ => return Err(format!("there is no option {word}")),
            }
        }
        Ok(options)
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| (1..=3600).contains(number)).ok_or(format!("{text} is no number from 1 to 3600"))
}
