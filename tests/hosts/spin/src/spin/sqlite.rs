//! `spin:sqlite`, for real: one connection an opened database, as Spin's own has.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::{Value as Stored, ValueRef};
use tokio::task::{block_in_place, spawn_blocking};
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::Spin;
use super::bindings::spin::sqlite::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::state::State;

/// An open database.
#[derive(Clone)]
pub struct Connection(Arc<Mutex<rusqlite::Connection>>);

impl Connection {
    fn on<R>(&self, work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<R>) -> Result<R, Error> {
        block_in_place(|| work(&self.0.lock().unwrap_or_else(PoisonError::into_inner)))
            .map_err(|error| Error::Io(error.to_string()))
    }

    fn execute(&self, statement: &str, parameters: Vec<Value>) -> Result<(Vec<String>, Vec<RowResult>), Error> {
        self.on(|db| {
            let mut prepared = db.prepare_cached(statement)?;
            let columns: Vec<String> = prepared.column_names().into_iter().map(str::to_owned).collect();
            let parameters = rusqlite::params_from_iter(parameters.into_iter().map(stored));
            let rows = prepared.query_map(parameters, |row| {
                let values = (0..columns.len()).map(|column| row.get_ref(column).map(value)).collect::<rusqlite::Result<_>>()?;
                Ok(RowResult { values })
            })?;
            let rows = rows.collect::<rusqlite::Result<_>>()?;
            Ok((columns.clone(), rows))
        })
    }
}

fn stored(value: Value) -> Stored {
    match value {
        Value::Integer(integer) => Stored::Integer(integer),
        Value::Real(real) => Stored::Real(real),
        Value::Text(text) => Stored::Text(text),
        Value::Blob(blob) => Stored::Blob(blob),
        Value::Null => Stored::Null,
    }
}

fn value(stored: ValueRef<'_>) -> Value {
    match stored {
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
        ValueRef::Null => Value::Null,
    }
}

fn open(state: &mut State, label: &str) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
    if !state.app.manifest.sqlite_databases.iter().any(|known| known == label) {
        return Ok(Err(Error::AccessDenied));
    }
    match block_in_place(|| rusqlite::Connection::open(state.app.database(label))) {
        Ok(connection) => Ok(Ok(state.table.push(Connection(Arc::new(Mutex::new(connection))))?)),
        Err(error) => Ok(Err(Error::Io(error.to_string()))),
    }
}

impl Host for State {}

impl HostConnection for State {
    fn open(&mut self, database: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        open(self, &database)
    }

    fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let connection = self.table.get(&connection)?.clone();
        Ok(connection.execute(&statement, parameters).map(|(columns, rows)| QueryResult { columns, rows }))
    }

    fn last_insert_rowid(&mut self, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(self.table.get(&connection)?.on(|db| Ok(db.last_insert_rowid())).unwrap_or(0))
    }

    fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&connection)?.on(|db| Ok(db.changes())).unwrap_or(0))
    }

    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

type Rows = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl<T: Send + 'static> HostConnectionWithStore<T> for Spin {
    async fn open_async(accessor: &Accessor<T, Self>, database: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        accessor.with(|mut access| open(access.get(), &database))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Rows, Error>> {
        // A database that somebody else has locked keeps only this statement waiting, not the whole instance.
        let connection = opened(accessor, &connection)?;
        let (columns, rows) = match spawn_blocking(move || connection.execute(&statement, parameters)).await? {
            Ok(done) => done,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, rows)?;
            let result = FutureReader::new(&mut access, async move { wasmtime::error::Ok(Ok(())) })?;
            Ok(Ok((columns, rows, result)))
        })
    }

    async fn last_insert_rowid_async(accessor: &Accessor<T, Self>, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(opened(accessor, &connection)?.on(|db| Ok(db.last_insert_rowid())).unwrap_or(0))
    }

    async fn changes_async(accessor: &Accessor<T, Self>, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(opened(accessor, &connection)?.on(|db| Ok(db.changes())).unwrap_or(0))
    }
}

fn opened<T: 'static>(accessor: &Accessor<T, Spin>, connection: &Resource<Connection>) -> wasmtime::Result<Connection> {
    accessor.with(|mut access| Ok(access.get().table.get(connection)?.clone()))
}
