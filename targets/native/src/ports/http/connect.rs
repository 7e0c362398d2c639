//! The one connector for all outbound traffic: resolve, check every address, connect to a checked one, TLS.
//!
//! Invariant: under [`Network::Public`] no socket is opened to an address that [`guard`](super::guard) refuses,
//! whatever the name, and the address that was checked is the one that is connected to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::Network;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::guard;
use super::origin::Origin;
use crate::net::Stream;
use crate::tls;

/// How long one address may keep the next one waiting (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// How names become addresses.
pub type Resolve = Arc<dyn Fn(String, u16) -> Resolving + Send + Sync>;
/// Addresses on their way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Opens connections.
pub struct Connector {
    resolve: Resolve,
    tls: OnceLock<Result<Arc<rustls::ClientConfig>>>,
    make_tls: fn() -> Result<rustls::ClientConfig>,
    fixed_tls: Option<Arc<rustls::ClientConfig>>,
}

impl Connector {
    /// A connector with the system's resolver and the usual trust roots.
    pub fn new() -> Self {
        Self { resolve: Arc::new(system_resolver), tls: OnceLock::new(), make_tls: tls::client_config, fixed_tls: None }
    }

    /// Replaces the resolver.
    #[must_use]
    pub fn with_resolver(mut self, resolve: Resolve) -> Self {
        self.resolve = resolve;
        self
    }

    /// Replaces the TLS configuration (trust roots, ALPN).
    #[must_use]
    pub fn with_tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.fixed_tls = Some(config);
        self
    }

    /// Connects, TLS included. The caller bounds the time.
    pub(super) async fn connect(&self, origin: &Origin) -> Result<Stream> {
        let addresses = self.addresses(origin).await?;
        let tcp = connect_any(addresses).await.map_err(|error| unreachable_provider(format!("connect to {origin}: {error}")))?;
        // Small requests and their bodies go out at once; a kernel without the option is slower, not wrong.
        let _ = tcp.set_nodelay(true);
        if !origin.tls {
            return Ok(Stream::plain(tcp));
        }
        let name = ServerName::try_from(origin.host().to_owned())
            .map_err(|error| unreachable_provider(format!("{origin} has no name that a certificate could carry: {error}")))?;
        let config = self.tls()?;
        let stream = TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .map_err(|error| unreachable_provider(format!("TLS to {origin}: {error}")))?;
        Ok(Stream::tls(stream.into()))
    }

    /// Reads the trust roots when the first encrypted connection needs them: starting stays fast.
    fn tls(&self) -> Result<Arc<rustls::ClientConfig>> {
        match &self.fixed_tls {
            Some(config) => Ok(config.clone()),
            None => self.tls.get_or_init(|| (self.make_tls)().map(Arc::new)).clone(),
        }
    }

    async fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>> {
        let addresses = match origin.host().parse::<IpAddr>() {
            Ok(literal) => vec![SocketAddr::new(literal, origin.port())],
            Err(_) => (self.resolve)(origin.host().to_owned(), origin.port())
                .await
                .map_err(|error| unreachable_provider(format!("resolve {}: {error}", origin.host())))?,
        };
        if addresses.is_empty() {
            return Err(unreachable_provider(format!("resolve {}: no address", origin.host())));
        }
        if origin.network() == Network::Public {
            for address in &addresses {
                if let Some(why) = guard::refusal(address.ip()) {
                    return Err(Error::new(
                        ErrorKind::Misconfigured,
                        "The provider's address is not a public one, and its configuration does not allow that.",
                    )
                    .source(format_args!(
                        "address guard: {} is {} ({why}); mark the provider as local to allow it",
                        origin.host(),
                        address.ip()
                    )));
                }
            }
        }
        Ok(addresses)
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

fn system_resolver(host: String, port: u16) -> Resolving {
    Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
}

/// Connects to the first address that answers; a slow one does not hold up the next.
async fn connect_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    if let [only] = addresses[..] {
        return TcpStream::connect(only).await;
    }
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(TcpStream::connect(address));
        }
        let stagger = async {
            match waiting.len() {
                0 => std::future::pending().await,
                _ => tokio::time::sleep(STAGGER).await,
            }
        };
        tokio::select! {
            biased;
            done = attempts.next() => match done {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => failure = error,
                None => return Err(failure),
            },
            () = stagger => {}
        }
    }
}

/// No connection, or none that could be used.
pub(super) fn unreachable_provider(source: String) -> Error {
    Error::new(ErrorKind::UpstreamUnavailable, "The provider could not be reached.").source(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn origin(authority: &str, network: Network) -> Origin {
        Origin::of(&format!("http://{authority}/").parse().expect("a URI"), network).expect("an origin")
    }

    fn resolving_to(addresses: &'static [&'static str]) -> Connector {
        Connector::new().with_resolver(Arc::new(move |_, port| {
            let addresses = addresses.iter().map(|text| SocketAddr::new(text.parse().expect("an address"), port)).collect();
            Box::pin(async move { Ok(addresses) })
        }))
    }

    #[tokio::test]
    async fn a_name_with_one_private_address_is_refused_whole() {
        let connector = resolving_to(&["1.1.1.1", "10.0.0.7"]);
        let error = connector.addresses(&origin("rebinding.example", Network::Public)).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Misconfigured);
        assert!(error.source.expect("a cause").contains("10.0.0.7 (private)"));
        assert!(!error.message.contains("10.0.0.7"), "the caller does not learn of internal addresses");
        assert_eq!(connector.addresses(&origin("rebinding.example", Network::Any)).await.expect("allowed").len(), 2);
    }

    #[tokio::test]
    async fn a_literal_is_checked_like_a_name_and_other_spellings_of_it_are_resolved_and_checked() {
        let connector = Connector::new();
        for host in ["127.0.0.1", "[::1]", "169.254.169.254", "2130706433", "0x7f.1", "localhost"] {
            let outcome = connector.addresses(&origin(host, Network::Public)).await;
            assert!(outcome.is_err(), "{host} must be refused");
        }
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let good = listener.local_addr().expect("an address");
        // Port 0 is never listened on: connecting to it fails at once.
        let bad = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let stream = connect_any(vec![bad, good]).await.expect("connected");
        assert_eq!(stream.peer_addr().expect("a peer"), good);
        assert!(connect_any(vec![bad, bad]).await.is_err());
    }
}
