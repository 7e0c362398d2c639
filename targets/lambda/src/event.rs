//! What a function was asked, as a request. `lambda_http` reads the four kinds of events; this says what only
//! a gateway needs to know of them.
//!
//! | source | event | path | client's address | answer |
//! |---|---|---|---|---|
//! | function URL | format 2.0, domain `*.lambda-url.*` | as asked | `sourceIp` | streamed |
//! | HTTP API | format 2.0 | without its stage | `sourceIp` | whole |
//! | REST API | format 1.0 | without its stage | `sourceIp` | whole |
//! | load balancer | target group | as asked | last of `x-forwarded-for`, which the balancer wrote | whole |
//!
//! A REST API can be told to stream, and a function URL not to; the event does not say so, and
//! `EDGEWAY_RESPONSE_MODE` (`stream`, `buffer`) does.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use edgeway_core::Body;
use edgeway_core::exchange::Inbound;
use http::{HeaderMap, Request, Uri};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Body as EventBody, RequestExt};

/// The variable that says how answers go out where the event does not.
pub(crate) const MODE_VARIABLE: &str = "EDGEWAY_RESPONSE_MODE";

/// How an answer goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it comes, behind its status and headers.
    Stream,
    /// Whole, in an object of format 1.0.
    One,
    /// Whole, in an object of format 2.0.
    Two,
    /// Whole, in a load balancer's object; with lists of header values where its target group has them.
    Balancer {
        /// Whether `multiValueHeaders` is the field that is read.
        lists: bool,
    },
}

/// What the operator said of the way that answers go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As the source of the event allows.
    #[default]
    Automatic,
    /// Streamed, except to a load balancer, which cannot.
    Stream,
    /// Whole.
    Buffer,
}

impl Mode {
    /// Reads the variable's value.
    pub(crate) fn parse(value: &str) -> Result<Self, String> {
        match value.trim() {
            "" => Ok(Self::Automatic),
            "stream" => Ok(Self::Stream),
            "buffer" => Ok(Self::Buffer),
            other => Err(format!("{MODE_VARIABLE} is `{other}`; it can be `stream` or `buffer`, or absent")),
        }
    }
}

/// A request, and how to answer it.
pub(crate) struct Asked {
    /// The request.
    pub(crate) inbound: Inbound,
    /// How its answer goes back.
    pub(crate) way: Way,
}

/// Reads an event; `None` when it cannot be a request (no platform sends such).
pub(crate) fn read(event: LambdaRequest, mode: Mode) -> Option<Asked> {
    let way = way(&event, mode);
    // The library takes the event's host and path for parts of a URL and panics when they are none.
    let request = catch_unwind(AssertUnwindSafe(|| http::Request::<EventBody>::from(event))).ok()?;
    let peer = peer(request.request_context_ref(), request.headers());
    let target = target(&request)?;
    let (mut parts, body) = request.into_parts();
    parts.uri = target;
    parts.extensions.clear();
    let body = match body {
        EventBody::Text(text) => Body::from(text),
        EventBody::Binary(bytes) => Body::from(bytes),
        _ => Body::Empty,
    };
    Some(Asked { inbound: Inbound { request: Request::from_parts(parts, body), peer }, way })
}

fn way(event: &LambdaRequest, mode: Mode) -> Way {
    match (event, mode) {
        (LambdaRequest::Alb(event), _) => Way::Balancer { lists: !event.multi_value_headers.is_empty() },
        (_, Mode::Stream) => Way::Stream,
        (LambdaRequest::ApiGatewayV2(event), Mode::Automatic)
            if event.request_context.domain_name.as_deref().is_some_and(|domain| domain.contains(".lambda-url.")) =>
        {
            Way::Stream
        }
        (LambdaRequest::ApiGatewayV2(_), _) => Way::Two,
        _ => Way::One,
    }
}

/// Path and query, without the stage that a path may begin with.
fn target(request: &http::Request<EventBody>) -> Option<Uri> {
    let raw = request.raw_http_path();
    let stage = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.stage.as_deref(),
        Some(RequestContext::ApiGatewayV1(context)) => context.stage.as_deref(),
        _ => None,
    };
    let path = without_stage(raw, stage);
    let escaped = escaped(path);
    match request.uri().query() {
        Some(query) => format!("{escaped}?{query}").parse().ok(),
        None => escaped.parse().ok(),
    }
}

fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let stage = stage.filter(|stage| *stage != "$default" && !stage.is_empty());
    let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    match rest {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ if path.is_empty() => "/",
        _ => path,
    }
}

/// Some sources decode the path; what a URI cannot hold is encoded again.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'?' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') => {
                out.push(byte.into());
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn peer(context: Option<&RequestContext>, headers: &HeaderMap) -> Option<IpAddr> {
    let text = match context? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.clone()?,
        RequestContext::ApiGatewayV1(context) => context.identity.source_ip.clone()?,
        _ => {
            let chain = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            chain.rsplit(',').next()?.trim().to_owned()
        }
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(event: &str) -> Asked {
        read(serde_json::from_str(event).expect("an event"), Mode::Automatic).expect("a request")
    }

    fn two(domain: &str, stage: &str, path: &str) -> String {
        format!(
            r#"{{"version":"2.0","routeKey":"$default","rawPath":"{path}","rawQueryString":"alt=sse&x=%20","headers":{{"host":"h","x-a":"1,2"}},
               "requestContext":{{"accountId":"1","apiId":"a","domainName":"{domain}","http":{{"method":"POST","path":"{path}",
               "protocol":"HTTP/1.1","sourceIp":"1.2.3.4","userAgent":"x"}},"requestId":"r","routeKey":"$default","stage":"{stage}",
               "time":"12/Mar/2020:19:03:58 +0000","timeEpoch":1583348638390}},"body":"aGk=","isBase64Encoded":true}}"#
        )
    }

    #[test]
    fn a_function_url_streams_and_an_http_api_does_not() {
        let asked = |domain, stage, path| asked(&two(domain, stage, path));
        let url = asked("abc.lambda-url.us-east-1.on.aws", "$default", "/v1/chat");
        assert_eq!(url.way, Way::Stream);
        assert_eq!(url.inbound.request.uri(), "/v1/chat?alt=sse&x=%20");
        assert_eq!(url.inbound.peer, "1.2.3.4".parse().ok());
        assert!(matches!(url.inbound.request.body(), Body::Full(bytes) if bytes == "hi"));
        let api = asked("abc.execute-api.us-east-1.amazonaws.com", "prod", "/prod/v1/chat");
        assert_eq!((api.way, api.inbound.request.uri().path()), (Way::Two, "/v1/chat"));
    }

    #[test]
    fn a_stage_is_only_what_a_path_begins_with() {
        for (path, stage, expected) in [
            ("/prod/v1", Some("prod"), "/v1"),
            ("/prod", Some("prod"), "/"),
            ("/production", Some("prod"), "/production"),
            ("/v1", Some("prod"), "/v1"),
            ("/v1", Some("$default"), "/v1"),
            ("", None, "/"),
        ] {
            assert_eq!(without_stage(path, stage), expected);
        }
    }

    #[test]
    fn a_decoded_path_is_a_path_again_and_an_encoded_one_stays() {
        let url = |path| asked(&two("x.lambda-url.x.on.aws", "$default", path)).inbound.request.uri().path().to_owned();
        assert_eq!(url("/v1beta/models/a b:generateContent"), "/v1beta/models/a%20b:generateContent");
        assert_eq!(url("/v1beta/models/a%2Fb:generateContent"), "/v1beta/models/a%2Fb:generateContent");
        assert_eq!(url("/models/é"), "/models/%C3%A9");
    }

    #[test]
    fn a_load_balancer_tells_the_client_last_and_its_headers_in_one_of_two_ways() {
        let event = |headers: &str| {
            asked(&format!(
                r#"{{"requestContext":{{"elb":{{"targetGroupArn":"arn"}}}},"httpMethod":"GET","path":"/health",
                   "queryStringParameters":{{}},{headers},"body":"","isBase64Encoded":false}}"#
            ))
        };
        let one = event(r#""headers":{"host":"h","x-forwarded-for":"6.6.6.6, 9.9.9.9"}"#);
        assert_eq!((one.way, one.inbound.peer), (Way::Balancer { lists: false }, "9.9.9.9".parse().ok()));
        let lists = event(r#""multiValueHeaders":{"host":["h"],"x-forwarded-for":["9.9.9.9"]}"#);
        assert_eq!((lists.way, lists.inbound.peer), (Way::Balancer { lists: true }, "9.9.9.9".parse().ok()));
    }

    #[test]
    fn the_operator_can_say_how_answers_go() {
        let event = || serde_json::from_str(&two("x.lambda-url.x.on.aws", "$default", "/")).expect("an event");
        assert_eq!(way(&event(), Mode::Buffer), Way::Two);
        assert_eq!(Mode::parse(" stream "), Ok(Mode::Stream));
        assert!(Mode::parse("yes").is_err());
    }
}
