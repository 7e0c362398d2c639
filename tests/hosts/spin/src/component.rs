//! The component, compiled once and kept beside its file, and its instances.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use wasmtime::component::{Component as Compiled, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::spin;
use crate::state::{App, State};

/// A component that is ready to be instantiated.
pub(crate) struct Component {
    engine: Engine,
    pre: ProxyPre<State>,
    /// The application.
    pub(crate) app: Arc<App>,
}

impl Component {
    /// Loads a component, from what was compiled before if the file is the same.
    pub(crate) fn load(path: &Path, app: Arc<App>) -> anyhow::Result<Self> {
        let engine = Engine::new(&config())?;
        let compiled = compiled(&engine, path)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        spin::add_to_linker(&mut linker)?;
        let pre = ServicePre::new(linker.instantiate_pre(&compiled)?)?;
        Ok(Self { engine, pre: ProxyPre::P3(pre), app })
    }

    /// A new instance; `quiet` drops what it prints.
    pub(crate) async fn instantiate(&self, quiet: bool) -> anyhow::Result<(Store<State>, Proxy)> {
        let mut store = Store::new(&self.engine, self.app.instance(quiet)?);
        let proxy = self.pre.instantiate_async(&mut store).await?;
        Ok((store, proxy))
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(1_000)
        .total_core_instances(20_000)
        .total_memories(2_000)
        .total_tables(20_000)
        .total_stacks(4_000);
    let mut config = Config::new();
    config.wasm_component_model(true).wasm_component_model_async(true).memory_init_cow(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// The compiled form of a file, kept beside it under a name that says of what.
fn compiled(engine: &Engine, path: &Path) -> anyhow::Result<Compiled> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let kept = path.with_extension(format!("{:016x}.cwasm", hasher.finish()));
    if kept.exists() {
        // SAFETY: the file was written below, by this program, for this very engine and component.
        return Ok(unsafe { Compiled::deserialize_file(engine, &kept) }?);
    }
    let compiled =
        Compiled::new(engine, &bytes).map_err(|error| anyhow::Error::from(error).context(path.display().to_string()))?;
    let unfinished = kept.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&unfinished, compiled.serialize()?)?;
    std::fs::rename(&unfinished, &kept)?;
    Ok(compiled)
}
