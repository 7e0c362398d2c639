//! Callers: connections, requests to instances, and the end.
//!
//! Instances are reused as Spin does by default: 128 requests each, 16 at once, dropped after a second without work.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::component::Component;
use crate::state::State;

/// Requests that one instance answers.
const REUSES: usize = 128;
/// Requests that one instance answers at once.
const AT_ONCE: usize = 16;
/// How long an instance without work is kept.
const IDLE: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, then finishes what is under way.
pub(crate) async fn serve(component: Component, serve_anyway: bool) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (end, ending) = watch::channel(false);
    let instances = Arc::new(AtomicUsize::new(0));
    let component = Arc::new(component);
    let handler = |quiet| Handler { component: component.clone(), quiet, ending: ending.clone(), instances: instances.clone() };
    if !serve_anyway {
        see_that_it_is_ready(ProxyHandler::new(handler(true))).await?;
    }
    let handler = ProxyHandler::new(handler(false));
    println!("edgeway-spin-host listens on http://{}", listener.local_addr()?);
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let handler = handler.clone();
        let service = service_fn(move |request| answer(handler.clone(), request, peer));
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
    drop(listener);
    graceful.shutdown().await;
    let _ = end.send(true);
    while instances.load(Ordering::Acquire) > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let _ = std::fs::remove_dir_all(component.app.temporary());
    Ok(())
}

/// Asks the component whether it is configured, as the native server asks itself before it listens.
async fn see_that_it_is_ready(handler: ProxyHandler<Handler>) -> anyhow::Result<()> {
    let mut request = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *request.uri_mut() = Uri::from_static("http://localhost/ready");
    let response = handler.handle((), request).await.map_err(anyhow::Error::from)?;
    if response.status().is_success() {
        return Ok(());
    }
    let body = response.into_body().collect().await.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
    anyhow::bail!("the component is not ready: {}", String::from_utf8_lossy(&body))
}

async fn answer(
    handler: ProxyHandler<Handler>,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> anyhow::Result<Response<WasiBody>> {
    // Spin says who calls, over whatever the caller says.
    request.headers_mut().insert("spin-client-addr", HeaderValue::try_from(peer.to_string())?);
    let authority =
        request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_owned();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(target).build();
    let Ok(uri) = uri else { return Ok(failure(StatusCode::BAD_REQUEST)) };
    *request.uri_mut() = uri;
    let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
    match handler.handle((), request).await {
        Ok(response) => Ok(response),
        Err(error) => {
            eprintln!("edgeway-spin-host: the component failed: {error:?}");
            Ok(failure(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

fn failure(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

struct Handler {
    component: Arc<Component>,
    /// Whether what its instances print is dropped.
    quiet: bool,
    ending: watch::Receiver<bool>,
    instances: Arc<AtomicUsize>,
}

impl HandlerState for Handler {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Reuse;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Reuse>> {
        let (store, proxy) = self.component.instantiate(self.quiet).await.map_err(wasmtime::Error::from_anyhow)?;
        self.instances.fetch_add(1, Ordering::AcqRel);
        let mut ending = self.ending.clone();
        let expiration = Expiration {
            idle: None,
            ending: Box::pin(async move {
                let _ = ending.wait_for(|ending| *ending).await;
            }),
        };
        Ok(Instance { store, proxy, view: |state| state.http(), expiration, state: Reuse(self.instances.clone()) })
    }
}

/// When an instance is dropped: a second after its last work, or at the end.
struct Expiration {
    idle: Option<(Instant, Pin<Box<Sleep>>)>,
    ending: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, state: WorkerStatus, start: Instant) -> Poll<()> {
        if state != WorkerStatus::Idle {
            return Poll::Pending;
        }
        if self.ending.as_mut().poll(cx).is_ready() {
            self.ending = Box::pin(std::future::ready(()));
            return Poll::Ready(());
        }
        if self.idle.as_ref().is_none_or(|(since, _)| *since != start) {
            self.idle = Some((start, Box::pin(tokio::time::sleep_until((start + IDLE).into()))));
        }
        let (_, sleep) = self.idle.as_mut().expect("it was set above");
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(())
    }
}

/// How often an instance is used, and that it is counted.
struct Reuse(Arc<AtomicUsize>);

impl WorkerState for Reuse {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, at_once: usize, total: usize) -> ShouldAccept {
        match (at_once, total) {
            (_, total) if total >= REUSES => ShouldAccept::Never,
            (at_once, _) if at_once >= AT_ONCE => ShouldAccept::No,
            _ => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<State>, result: wasmtime::Result<()>) {
        drop(store);
        if let Err(error) = result {
            eprintln!("edgeway-spin-host: an instance ended badly: {error:?}");
        }
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
