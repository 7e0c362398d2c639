//! `spin:variables`.

use wasmtime::component::Accessor;

use super::Spin;
use super::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::manifest::check_name;
use crate::state::State;

impl<T: Send + 'static> HostWithStore<T> for Spin {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, Error>> {
        if let Err(error) = check_name(&name) {
            return Ok(Err(Error::InvalidName(error.to_string())));
        }
        let value = accessor.with(|mut access| access.get().app.manifest.variables.get(&name).cloned());
        Ok(value.ok_or_else(|| Error::Undefined(format!("no variable for \"{name}\""))))
    }
}

impl Host for State {}
