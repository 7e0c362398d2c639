//! `edgeway tenants | teams | apps | users | roles | keys`: whoever may call, and for how much.
//!
//! A command is one request of the administration, to a gateway or to a store at hand (see `desk.rs`). What it says about
//! an object is checked there, not here.

mod fields;
mod say;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use edgeway_core::admin::Answer;
use http::Method;
use serde_json::{Map, Value, json};

use super::configuration::{self, Failure};
use super::desk::{Ask, Desk, detail, encoded};
use super::output::Output;
pub(super) use fields::{ApplicationFields, Fields, KeyFields, RoleFields, TenantFields, UserFields};
pub(super) use say::short;

/// The variable with the tenant that commands are about.
const TENANT: &str = "EDGEWAY_TENANT";
/// Most pages that a list reads.
const PAGES: usize = 1000;

/// Whom to ask, and whose objects.
#[derive(Args, Clone, Debug)]
pub(super) struct At {
    /// Ask the gateway at this address, with the key in EDGEWAY_ADMIN_KEY [default: use the store of the local configuration].
    #[arg(long, global = true, value_name = "URL")]
    gateway: Option<String>,
    /// Of this tenant [default: EDGEWAY_TENANT, or that of the key].
    #[arg(long, global = true, value_name = "NAME")]
    tenant: Option<String>,
}

/// What can be done with any kind of object.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum Verb<F: Args> {
    /// List them.
    List,
    /// Show one.
    Show {
        /// Which.
        id: String,
    },
    /// Make one.
    Create {
        /// Its name: a-z, 0-9 and `-`.
        id: String,
        #[command(flatten)]
        fields: F,
    },
    /// Change what is given of one.
    Update {
        /// Which.
        id: String,
        #[command(flatten)]
        fields: F,
        /// Only if this version is still current.
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
    },
    /// Remove one.
    Delete {
        /// Which.
        id: String,
        /// Only if this version is still current.
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
    },
}

/// What can be done with keys.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum KeyVerb {
    /// List them.
    List,
    /// Show one.
    Show {
        /// Its id.
        id: String,
    },
    /// Make one, and print its text: the only time.
    #[command(
        after_help = "Example:\n  edgeway keys create --team x --rpm 60 --budget 20usd/month --models 'gpt-*' --expires 30d"
    )]
    Create {
        #[command(flatten)]
        fields: KeyFields,
        /// What its text is marked with [default: live].
        #[arg(long, value_name = "NAME")]
        environment: Option<String>,
    },
    /// Change what is given of one.
    Update {
        /// Its id.
        id: String,
        #[command(flatten)]
        fields: KeyFields,
        /// Only if this version is still current.
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
    },
    /// Give one another text, and print it: the only time.
    Rotate {
        /// Its id.
        id: String,
        /// How long the text before stays good, `1h` say [default: it ends now].
        #[arg(long, value_name = "TIME")]
        overlap: Option<String>,
    },
    /// End one for good.
    Revoke {
        /// Its id.
        id: String,
    },
    /// Remove one.
    Delete {
        /// Its id.
        id: String,
        /// Only if this version is still current.
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
    },
}

/// A command about one collection.
#[derive(Args, Clone, Debug)]
pub(super) struct Objects<F: Args> {
    #[command(subcommand)]
    verb: Verb<F>,
    #[command(flatten)]
    at: At,
}

/// A command about keys.
#[derive(Args, Clone, Debug)]
pub(super) struct Keys {
    #[command(subcommand)]
    verb: KeyVerb,
    #[command(flatten)]
    at: At,
}

/// What a command asks for, once it is known where its collection is.
enum Wish {
    List,
    Ask(Method, String, Option<Value>, Option<Option<u64>>),
}

fn wish(method: Method, path: String) -> Wish {
    Wish::Ask(method, path, None, None)
}

fn change(path: String, body: Map<String, Value>, expect: Option<u64>) -> Wish {
    Wish::Ask(Method::PATCH, path, Some(Value::Object(body)), Some(expect))
}

/// Runs a command about `collection`, `teams` say.
pub(super) fn run<F: Args + Fields>(
    collection: &'static str,
    Objects { verb, at }: Objects<F>,
    config: Option<PathBuf>,
    output: &Output,
) -> ExitCode {
    let wished = (|| {
        Ok(match verb {
            Verb::List => Wish::List,
            Verb::Show { id } => wish(Method::GET, format!("/{}", encoded(&id))),
            Verb::Create { id, fields } => {
                let mut body = Map::from_iter([("id".to_owned(), json!(id))]);
                body.extend(fields.members()?);
                Wish::Ask(Method::POST, String::new(), Some(Value::Object(body)), None)
            }
            Verb::Update { id, fields, expect } => change(format!("/{}", encoded(&id)), fields.members()?, expect),
            Verb::Delete { id, expect } => Wish::Ask(Method::DELETE, format!("/{}", encoded(&id)), None, Some(expect)),
        })
    })();
    end(collection, wished, &at, config, output)
}

/// Runs a command about keys.
pub(super) fn keys(Keys { verb, at }: Keys, config: Option<PathBuf>, output: &Output) -> ExitCode {
    let wished = (|| {
        Ok(match verb {
            KeyVerb::List => Wish::List,
            KeyVerb::Show { id } => wish(Method::GET, format!("/{}", encoded(&id))),
            KeyVerb::Create { fields, environment } => {
                let mut body = fields.members()?;
                body.extend(environment.map(|environment| ("environment".to_owned(), json!(environment))));
                Wish::Ask(Method::POST, String::new(), Some(Value::Object(body)), None)
            }
            KeyVerb::Update { id, fields, expect } => change(format!("/{}", encoded(&id)), fields.members()?, expect),
            KeyVerb::Rotate { id, overlap } => {
                Wish::Ask(Method::POST, format!("/{}/rotate", encoded(&id)), Some(json!({"overlap": overlap})), None)
            }
            KeyVerb::Revoke { id } => wish(Method::POST, format!("/{}/revoke", encoded(&id))),
            KeyVerb::Delete { id, expect } => Wish::Ask(Method::DELETE, format!("/{}", encoded(&id)), None, Some(expect)),
        })
    })();
    end("keys", wished, &at, config, output)
}

fn end(collection: &str, wished: Result<Wish, String>, at: &At, config: Option<PathBuf>, output: &Output) -> ExitCode {
    let done = wished
        .map_err(Failure::Other)
        .and_then(|wish| at.work(config, async |desk| act(desk, collection, wish, at, output).await));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => super::failed(&failure, output),
    }
}

/// Whether it could be done.
async fn act(desk: &Desk, collection: &str, wish: Wish, at: &At, output: &Output) -> Result<bool, Failure> {
    let base = match collection {
        "tenants" => "tenants".to_owned(),
        of_a_tenant => format!("tenants/{}/{of_a_tenant}", at.tenant(desk).await?),
    };
    let (path, ask) = match wish {
        Wish::List => return list(desk, collection, &base, output).await,
        Wish::Ask(method, path, body, expect) => {
            let path = format!("{base}{path}");
            let ask = match body {
                Some(body) => Ask::send(method, &path, "application/json", body.to_string()),
                None => Ask::of(method, &path),
            };
            (path, if let Some(expect) = expect { ask.expecting(expect) } else { ask })
        }
    };
    let answer = desk.ask(ask).await?;
    if !answer.status.is_success() {
        refused(&answer, output);
        return Ok(false);
    }
    match output.json {
        true => output.print_json(answer.body()),
        false => say::one(&path, &answer, output),
    }
    Ok(true)
}

async fn list(desk: &Desk, collection: &str, base: &str, output: &Output) -> Result<bool, Failure> {
    let (mut items, mut path) = (Vec::new(), format!("{base}?limit=200"));
    for _ in 0..PAGES {
        let answer = desk.ask(Ask::get(&path)).await?;
        if !answer.status.is_success() {
            refused(&answer, output);
            return Ok(false);
        }
        let page = answer.body();
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{base}?limit=200&after={}", encoded(next));
    }
    match output.json {
        true => output.print_json(&json!({"items": items})),
        false => say::many(collection, &items, output),
    }
    Ok(true)
}

/// Says why it could not be done.
pub(super) fn refused(answer: &Answer, output: &Output) {
    match output.json {
        true => output.print_json(answer.body()),
        false => output.error(&detail(answer.body())),
    }
}

impl At {
    /// Opens a desk, does some work at it, and closes it.
    pub(super) fn work<T>(
        &self,
        config: Option<PathBuf>,
        work: impl AsyncFnOnce(&Desk) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let desk = Desk::open(self.gateway.as_deref(), config)?;
        let done = configuration::wait(work(&desk));
        desk.close();
        done?
    }

    /// The tenant that a command is about.
    pub(super) async fn tenant(&self, desk: &Desk) -> Result<String, Failure> {
        let named = self.tenant.clone().or_else(|| std::env::var(TENANT).ok().filter(|name| !name.is_empty()));
        if let Some(named) = named {
            return Ok(encoded(&named));
        }
        let answer = desk.ask(Ask::get("whoami")).await?;
        match answer.body()["tenant"].as_str() {
            Some(own) => Ok(encoded(own)),
            None if answer.status.is_success() => Err(Failure::Other(format!(
                "which tenant? Say --tenant NAME, or set {TENANT}; `edgeway tenants list` lists them"
            ))),
            None => Err(Failure::Other(detail(answer.body()))),
        }
    }
}
