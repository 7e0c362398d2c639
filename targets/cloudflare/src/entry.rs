//! What the runtime calls: a request, a timer.

use std::pin::pin;

use edgeway_core::dialect::DialectId;
use edgeway_core::{Handled, unserved};
use futures_util::future::{Either, select};
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys;
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event};

use crate::deployment::Deployment;
use crate::live::Live;
use crate::{inbound, outbound};

#[event(fetch)]
async fn fetch(raw: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    let deployment = Deployment::of(&env).await;
    let answered = match (inbound::read(&raw), &deployment.gateway) {
        (Err(error), _) => outbound::write(unserved::error(DialectId::OpenAiChat, &error), &Live::over()),
        #[cfg(feature = "suite")]
        (Ok(inbound), _) if crate::suite::knows(&inbound.request) => crate::suite::answer(&inbound.request, &deployment).await,
        (Ok(inbound), Err(refusal)) => outbound::write(refusal.answer(inbound.request), &Live::over()),
        (Ok(inbound), Ok(gateway)) => answer(gateway.handle(inbound), raw, &context).await,
    };
    answered.map_err(worker::Error::from)
}

async fn answer(handled: Handled, raw: web_sys::Request, context: &Context) -> Result<web_sys::Response, JsValue> {
    let live = Live::new(handled.response);
    let watched = live.clone();
    // Registered before anything is awaited: what follows a response happens whatever becomes of the caller.
    context.wait_until(async move {
        let gone = pin!(inbound::caller_gone(&raw));
        if let Either::Right(((), after)) = select(handled.after, gone).await {
            watched.end();
            after.await;
        }
    });
    // A caller who went away reads no answer; the runtime wants one all the same.
    let response = live.answer().await.unwrap_or_default();
    outbound::write(response, &live)
}

/// Housekeeping: what no store does by itself.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    Deployment::of(&env).await.tidy_up().await;
}
