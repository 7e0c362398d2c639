//! `spin:key-value`, kept in a SQLite file as Spin's own default store is.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::task::block_in_place;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::Spin;
use super::bindings::spin::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::state::{App, State};

/// An open store.
pub struct Store(String);

/// Opens the file of all stores.
pub(crate) fn open(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute(
        "CREATE TABLE IF NOT EXISTS key_value (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))",
        [],
    )?;
    Ok(connection)
}

fn on<R>(app: &App, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, Error> {
    let connection = app.key_values.lock().unwrap_or_else(PoisonError::into_inner);
    block_in_place(|| work(&connection)).map_err(|error| Error::Other(error.to_string()))
}

impl Host for State {}

impl HostStore for State {
    fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T: Send + 'static> HostStoreWithStore<T> for Spin {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> wasmtime::Result<Result<Resource<Store>, Error>> {
        accessor.with(|mut access| {
            let state = access.get();
            match state.app.manifest.key_value_stores.contains(&label) {
                true => Ok(Ok(state.table.push(Store(label))?)),
                false => Ok(Err(Error::AccessDenied)),
            }
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        const GET: &str = "SELECT value FROM key_value WHERE store = ?1 AND key = ?2";
        let (app, label) = opened(accessor, &store)?;
        Ok(on(&app, |db| db.query_row(GET, params![label, key], |row| row.get(0)).optional()))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        const SET: &str = "INSERT INTO key_value (store, key, value) VALUES (?1, ?2, ?3) \
                           ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";
        let (app, label) = opened(accessor, &store)?;
        Ok(on(&app, |db| db.execute(SET, params![label, key, value])).map(drop))
    }

    async fn delete(accessor: &Accessor<T, Self>, store: Resource<Store>, key: String) -> wasmtime::Result<Result<(), Error>> {
        const DELETE: &str = "DELETE FROM key_value WHERE store = ?1 AND key = ?2";
        let (app, label) = opened(accessor, &store)?;
        Ok(on(&app, |db| db.execute(DELETE, params![label, key])).map(drop))
    }

    async fn exists(accessor: &Accessor<T, Self>, store: Resource<Store>, key: String) -> wasmtime::Result<Result<bool, Error>> {
        const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM key_value WHERE store = ?1 AND key = ?2)";
        let (app, label) = opened(accessor, &store)?;
        Ok(on(&app, |db| db.query_row(EXISTS, params![label, key], |row| row.get(0))))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        const KEYS: &str = "SELECT key FROM key_value WHERE store = ?1";
        let (app, label) = opened(accessor, &store)?;
        let keys = on(&app, |db| {
            db.prepare_cached(KEYS)?.query_map([label], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        });
        let (keys, result) = match keys {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let result = FutureReader::new(&mut access, async move { wasmtime::error::Ok(result) })?;
            Ok((keys, result))
        })
    }
}

fn opened<T: 'static>(accessor: &Accessor<T, Spin>, store: &Resource<Store>) -> wasmtime::Result<(Arc<App>, String)> {
    accessor.with(|mut access| {
        let state = access.get();
        let label = state.table.get(store)?.0.clone();
        Ok((state.app.clone(), label))
    })
}
