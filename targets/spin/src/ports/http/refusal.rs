//! Why an exchange did not happen, or broke off, in core's words.

use std::fmt::Display;

use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{Network, Timeouts, guard};
use http::Uri;
use spin_sdk::wasip3::http::types::ErrorCode;

use super::budget::late;

/// Refuses what must not be called, before Spin is asked.
pub(super) fn check(uri: &Uri, network: Network) -> Result<()> {
    let bad = |what: &str| {
        Error::new(ErrorKind::Misconfigured, "The provider's address is not one that the gateway can call.")
            .source(format_args!("outbound URI {what}"))
    };
    if !matches!(uri.scheme_str(), Some("https" | "http")) {
        return Err(bad("is neither http nor https"));
    }
    let authority = uri.authority().ok_or_else(|| bad("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("holds a user name; credentials belong in the provider's key"));
    }
    let host = authority.host();
    if host.is_empty() {
        return Err(bad("has no host"));
    }
    match guard::host::refusal(host) {
        Some(why) if network == Network::Public => {
            Err(unreachable_provider(format_args!("{host} is not a public address ({why})")))
        }
        _ => Ok(()),
    }
}

/// Why there is no response.
pub(super) fn of(code: &ErrorCode, uri: &Uri, timeouts: Timeouts) -> Error {
    match code {
        ErrorCode::HttpRequestDenied => {
            let (scheme, host) = (uri.scheme_str().unwrap_or("https"), uri.authority().map_or("", |host| host.as_str()));
            Error::new(
                ErrorKind::Misconfigured,
                "The gateway is not allowed to call this provider. Its operator must add the provider's address to \
                 `allowed_outbound_hosts` in spin.toml.",
            )
            .source(format_args!(
                "Spin refused the request: add \"{scheme}://{host}\" to allowed_outbound_hosts under [component.edgeway] in spin.toml"
            ))
        }
        ErrorCode::DestinationIpProhibited => unreachable_provider(
            "Spin refused the address that the name leads to: see block_networks in its runtime configuration",
        ),
        ErrorCode::ConnectionTimeout => late("connect", timeouts.connect),
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionWriteTimeout => {
            late("first-byte", timeouts.first_byte)
        }
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => unreachable_provider(code),
        _ => broken(code),
    }
}

/// Why a body broke off.
pub(super) fn cut(code: &ErrorCode, timeouts: Timeouts) -> Error {
    match code {
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => late("idle", timeouts.idle),
        _ => broken(code),
    }
}

/// An exchange that broke off.
pub(super) fn broken(why: impl Display) -> Error {
    Error::new(ErrorKind::UpstreamUnavailable, "The provider broke the connection off.").source(why)
}

/// An answer that is no answer.
pub(super) fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::UpstreamInvalid, "The provider's answer is not valid HTTP.").source(why)
}

fn unreachable_provider(why: impl Display) -> Error {
    Error::new(ErrorKind::UpstreamUnavailable, "The provider could not be reached.").source(why)
}
