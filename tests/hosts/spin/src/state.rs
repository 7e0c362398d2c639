//! What all instances share, and what one has of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::arguments::Arguments;
use crate::hosts::Pattern;
use crate::manifest::Manifest;
use crate::outbound::{Clients, Outbound};

/// The application.
pub(crate) struct App {
    /// What its component may do.
    pub(crate) manifest: Manifest,
    /// Hosts that it may call.
    pub(crate) hosts: Arc<Vec<Pattern>>,
    /// Connections to them.
    pub(crate) clients: Arc<Clients>,
    /// The key-value stores.
    pub(crate) key_values: Mutex<rusqlite::Connection>,
    /// Where databases are kept.
    pub(crate) state: PathBuf,
    files: PathBuf,
    /// Removed at the end.
    temporary: PathBuf,
}

impl App {
    /// Reads the manifest and opens the stores.
    pub(crate) fn open(arguments: &Arguments, bindings: Vec<(String, String)>) -> anyhow::Result<Self> {
        let mut manifest = Manifest::read(&arguments.manifest, bindings)?;
        let without: BTreeSet<&str> = arguments.without.iter().map(String::as_str).collect();
        if without.contains("key_value_stores") {
            manifest.key_value_stores.clear();
        }
        if without.contains("sqlite_databases") {
            manifest.sqlite_databases.clear();
        }
        let patterns = manifest.allowed_outbound_hosts.iter().chain(&arguments.allow);
        let hosts = patterns.map(|pattern| Pattern::parse(pattern)).collect::<anyhow::Result<Vec<_>>>()?;
        let temporary = std::env::temp_dir().join(format!("edgeway-spin-{}", std::process::id()));
        let files = temporary.join("files");
        std::fs::create_dir_all(&files)?;
        if let Some(config) = &arguments.config {
            std::fs::copy(config, files.join("edgeway.toml")).with_context(|| config.display().to_string())?;
        }
        let state = arguments.state.clone().unwrap_or_else(|| temporary.join("state"));
        std::fs::create_dir_all(&state)?;
        let key_values = crate::spin::kv::open(&state.join("key_value.db"))?;
        Ok(Self {
            manifest,
            hosts: Arc::new(hosts),
            clients: Arc::default(),
            key_values: Mutex::new(key_values),
            state,
            files,
            temporary,
        })
    }

    /// What one instance has of its own.
    pub(crate) fn instance(self: &Arc<Self>, quiet: bool) -> anyhow::Result<State> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.inherit_stderr();
        if !quiet {
            wasi.inherit_stdout();
        }
        for (name, value) in &self.manifest.environment {
            wasi.env(name, value);
        }
        wasi.preopened_dir(&self.files, "/", FsPerms::ReadOnly)?;
        Ok(State {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound { hosts: self.hosts.clone(), clients: self.clients.clone() },
            app: self.clone(),
        })
    }

    /// The file of a database.
    pub(crate) fn database(&self, label: &str) -> PathBuf {
        self.state.join(format!("sqlite_{label}.db"))
    }

    /// The folder that is removed at the end.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.temporary);
    }
}

/// What one instance has of its own.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    /// The application.
    pub(crate) app: Arc<App>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}
