//! The Durable Object in which a cell lives: one row in its own SQLite, one step at a time.
//!
//! A step runs without a pause between reading the state and writing it, so the object's commands have one serial
//! history; the runtime holds the answer back until the write is durable.
//!
//! A step that leaves the state as it was writes nothing.
//!
//! Expiry is by value: a state past it does not exist. An alarm some time later only gives the storage back.

use std::cell::Cell;
use std::time::Duration;

use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::ports::{CellVersion, Clock, Timestamp, find_step};
use worker::{DurableObject, Env, Request, Response, Result, SqlStorage, SqlStorageValue, State, durable_object, wasm_bindgen};

use crate::ports::{RuntimeClock, fail};

/// How long a cell without a state keeps its storage: it may be used again at once.
const GRACE: Duration = Duration::from_secs(60);

/// One cell.
#[durable_object(alarm)]
pub struct CellObject {
    state: State,
    sql: SqlStorage,
    /// Whether the table is known to exist.
    ready: Cell<bool>,
    /// When the alarm is set for, as far as this instance knows; microseconds.
    alarm: Cell<u64>,
}

impl DurableObject for CellObject {
    fn new(state: State, _env: Env) -> Self {
        let sql = state.storage().sql();
        Self { state, sql, ready: Cell::new(false), alarm: Cell::new(u64::MAX) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let step = request.path();
        let command = request.bytes().await?;
        match self.command(step.trim_start_matches('/'), &command) {
            Ok(version) => {
                if let Some(moment) = version.expires.or_else(|| version.state.is_none().then(|| RuntimeClock.now())) {
                    self.wake_after(moment).await?;
                }
                Response::from_bytes(version.reply.to_vec())
            }
            Err(Failure::Step(error)) => Response::ok(fail(&error)).map(|response| response.with_status(400)),
            Err(Failure::Storage(error)) => Err(error),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        self.alarm.set(u64::MAX);
        let now = RuntimeClock.now();
        self.prepare()?;
        match self.read()? {
            Some((_, expires)) if expires.is_none_or(|expires| expires > now) => {
                if let Some(expires) = expires {
                    self.wake_after(expires).await?;
                }
            }
            _ => {
                self.ready.set(false);
                self.state.storage().delete_all().await?;
            }
        }
        Response::empty()
    }
}

/// Why a command was not done.
enum Failure {
    /// The step said so.
    Step(Error),
    /// The storage failed; the caller learns no more than that.
    Storage(worker::Error),
}

impl From<worker::Error> for Failure {
    fn from(error: worker::Error) -> Self {
        Self::Storage(error)
    }
}

impl CellObject {
    /// One step, without a pause from the read to the write.
    fn command(&self, step: &str, command: &[u8]) -> std::result::Result<CellVersion, Failure> {
        let step = find_step(step).ok_or_else(|| {
            Failure::Step(
                Error::new(ErrorKind::Internal, "The gateway has failed.")
                    .source(format_args!("there is no cell step `{step}`: is the deployment half old, half new?")),
            )
        })?;
        self.prepare()?;
        let now = RuntimeClock.now();
        let state = self.read()?.filter(|(_, expires)| expires.is_none_or(|expires| expires > now));
        let version = step.step(state.as_ref().map(|(state, _)| &state[..]), command, now).map_err(Failure::Step)?;
        let same = state.as_ref().map(|(state, expires)| (&state[..], *expires))
            == version.state.as_deref().map(|next| (next, version.expires));
        match &version.state {
            _ if same => {}
            Some(next) => {
                let expires = version.expires.map_or(SqlStorageValue::Null, |expires| SqlStorageValue::Float(expires.0 as f64));
                let values = vec![SqlStorageValue::Blob(next.to_vec()), expires];
                self.sql.exec("INSERT OR REPLACE INTO cell (id, state, expires) VALUES (1, ?, ?)", values)?;
            }
            None => {
                self.sql.exec("DELETE FROM cell", None)?;
            }
        }
        Ok(version)
    }

    fn prepare(&self) -> Result<()> {
        if !self.ready.get() {
            self.sql.exec("CREATE TABLE IF NOT EXISTS cell (id INTEGER PRIMARY KEY, state BLOB NOT NULL, expires REAL)", None)?;
            self.ready.set(true);
        }
        Ok(())
    }

    fn read(&self) -> Result<Option<(Vec<u8>, Option<Timestamp>)>> {
        let mut rows = self.sql.exec("SELECT state, expires FROM cell", None)?.raw();
        let Some(row) = rows.next().transpose()? else { return Ok(None) };
        let [SqlStorageValue::Blob(state), expires] =
            <[SqlStorageValue; 2]>::try_from(row).map_err(|_| worker::Error::from("a cell's row has two columns"))?
        else {
            return Err("a cell's state is no blob".into());
        };
        let expires = match expires {
            SqlStorageValue::Float(expires) => Some(Timestamp(expires as u64)),
            SqlStorageValue::Integer(expires) => Some(Timestamp(expires.unsigned_abs())),
            _ => None,
        };
        Ok(Some((state, expires)))
    }

    /// Sees to it that an alarm rings some time after `moment`. One that rings earlier looks again.
    async fn wake_after(&self, moment: Timestamp) -> Result<()> {
        let at = moment.plus(GRACE);
        if self.alarm.get() <= at.0 {
            return Ok(());
        }
        self.alarm.set(at.0);
        let wait = at.since(RuntimeClock.now());
        self.state.storage().set_alarm(wait).await
    }
}
