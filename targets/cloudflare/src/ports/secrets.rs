//! Secrets: texts of the deployment, and secrets of the account's store.

use std::sync::Arc;

use async_trait::async_trait;
use edgeway_core::error::Result;
use edgeway_core::ports::{Secret, SecretStore};
use worker::Env;
use worker::js_sys::Reflect;
use worker::send::SendFuture;
use worker::wasm_bindgen::prelude::*;

use super::away;
use crate::bindings::{Bindings, Kind};

#[wasm_bindgen(module = "/src/js/stores.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = secretFetch)]
    async fn secret_fetch(service: &JsValue) -> std::result::Result<JsValue, JsValue>;
}

/// The secrets of a deployment.
pub(crate) struct Secrets {
    bindings: Arc<Bindings>,
    env: Env,
}

impl Secrets {
    /// The secrets among `bindings`, which are those of `env`.
    pub(crate) fn new(bindings: Arc<Bindings>, env: Env) -> Self {
        Self { bindings, env }
    }
}

#[async_trait]
impl SecretStore for Secrets {
    async fn secret(&self, name: &str) -> Result<Option<Secret>> {
        if self.bindings.kind(name) != Some(Kind::Service) {
            return Ok(self.bindings.secret(name).map(Secret::new));
        }
        let fetched = SendFuture::new(async {
            let service = Reflect::get(&self.env, &name.into())?;
            Ok(secret_fetch(&service).await?.as_string())
        });
        let value = fetched.await.map_err(|error| away("the secrets store", &error))?;
        let value = value.map(|value| value.trim_end_matches(['\r', '\n']).to_owned());
        Ok(value.filter(|value| !value.trim().is_empty()).map(Secret::new))
    }
}
