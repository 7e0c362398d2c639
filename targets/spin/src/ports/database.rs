//! The SQLite database `default`: one connection an instance, tables made when they are first missed.
//!
//! Invariant: a statement is one transaction, so whatever must be atomic is one statement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edgeway_core::error::{Error, ErrorKind, Result};
use spin_sdk::sqlite::{Connection, Error as Refusal, Value};

const LABEL: &str = "default";

/// Every table. Changes to it only add.
const SCHEMA: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS edgeway_cell (name TEXT PRIMARY KEY, version INTEGER NOT NULL, state BLOB NOT NULL, expires INTEGER) \
     WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS edgeway_cell_expires ON edgeway_cell (expires) WHERE expires IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS edgeway_blob (key TEXT PRIMARY KEY, upload TEXT NOT NULL, parts INTEGER NOT NULL, expires INTEGER) \
     WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS edgeway_blob_part (upload TEXT NOT NULL, part INTEGER NOT NULL, written INTEGER NOT NULL, \
     data BLOB NOT NULL, PRIMARY KEY (upload, part)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS edgeway_blob_written ON edgeway_blob_part (written)",
];

/// The component's database.
#[derive(Default)]
pub(crate) struct Database {
    connection: Mutex<Option<Arc<Connection>>>,
}

/// A row's values.
pub(crate) type Row = Vec<Value>;

impl Database {
    /// Runs a statement; gives its rows.
    pub(crate) async fn run(&self, statement: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        let connection = self.connection().await.map_err(refused)?;
        match rows(&connection, statement, parameters).await {
            Err(Refusal::Io(message)) if message.contains("no such table") => {
                for statement in SCHEMA {
                    rows(&connection, statement, &[]).await.map_err(refused)?;
                }
                rows(&connection, statement, parameters).await.map_err(refused)
            }
            Err(Refusal::InvalidConnection) => {
                *self.kept() = None;
                rows(&*self.connection().await.map_err(refused)?, statement, parameters).await.map_err(refused)
            }
            done => done.map_err(refused),
        }
    }

    /// Whether the component has the database. One that does not answer now is there all the same.
    pub(crate) async fn given(&self) -> bool {
        !matches!(self.connection().await, Err(Refusal::NoSuchDatabase | Refusal::AccessDenied))
    }

    async fn connection(&self) -> Result<Arc<Connection>, Refusal> {
        if let Some(connection) = &*self.kept() {
            return Ok(connection.clone());
        }
        let connection = Arc::new(Connection::open(LABEL).await?);
        *self.kept() = Some(connection.clone());
        Ok(connection)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn rows(connection: &Connection, statement: &str, parameters: &[Value]) -> Result<Vec<Row>, Refusal> {
    let mut result = connection.execute(statement, parameters.iter().cloned()).await?;
    let mut rows = Vec::new();
    while let Some(row) = result.next().await {
        rows.push(row.values);
    }
    result.result().await?;
    Ok(rows)
}

fn refused(error: Refusal) -> Error {
    match error {
        Refusal::NoSuchDatabase | Refusal::AccessDenied => {
            Error::new(ErrorKind::Misconfigured, "The gateway's database is not there.").source(format_args!(
                "the SQLite database `{LABEL}`: {error}; write sqlite_databases = [\"{LABEL}\"] under [component.edgeway] in spin.toml"
            ))
        }
        error => Error::new(ErrorKind::Overloaded, "The gateway's database does not answer. Try again in a moment.")
            .source(format_args!("the SQLite database `{LABEL}`: {error}")),
    }
}
