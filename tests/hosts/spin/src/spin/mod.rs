//! Spin's interfaces, from the WIT that ships in the `spin-sdk` crate.

pub mod kv;
pub mod sqlite;
mod variables;

use wasmtime::component::{HasData, Linker};

use crate::state::State;

/// What `bindgen!` makes of the WIT.
pub(crate) mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

/// Spin's interfaces, implemented over an instance's state.
pub(crate) struct Spin;

impl HasData for Spin {
    type Data<'a> = &'a mut State;
}

/// Makes them importable.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    bindings::Host_::add_to_linker::<_, Spin>(linker, |state| state)
}
