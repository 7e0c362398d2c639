//! The first owner, made once, by whoever shows the secret that `admin.bootstrap` names; and the operator's own keys, of which
//! the first owner's is the first.
//!
//! | what is there | what happens |
//! |---|---|
//! | nothing | the making is claimed, the user and the key are made, the making is done |
//! | a claim that was not done | it is taken over; whoever held it finds that out, and removes its key |
//! | a making that was done | 409, for good |
//!
//! Invariant: of any number of callers at once, one at most gets a key that lets it in.

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::asked::Asked;
use super::desk::{Desk, uncertain};
use super::keys;
use super::kind::Of;
use super::problem::Problem;
use super::resource::{self, BODY};
use super::route::{Reach, Route, Work};
use crate::endpoint::{BodyLimit, Requires};
use crate::identity::{Key, Name, Permission, Terms, User};
use crate::objects::{Exists, Object, Stored};
use crate::ports::Timestamp;

pub(super) static ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: "/admin/v1/bootstrap",
        name: "bootstrap",
        requires: Requires::Bootstrap,
        reach: Reach::Own,
        body: BodyLimit::AtMost(1024),
        summary: "Make the first owner and their key, once. The key's text is in this answer and nowhere else.",
        work: |desk, asked| Box::pin(bootstrap(desk, asked)),
    },
    own(
        Method::GET,
        "/admin/v1/keys",
        "operator_keys_list",
        Permission::KeysRead,
        BodyLimit::None,
        "The operator's own keys, which reach every tenant, a page at a time.",
        |desk, asked| Box::pin(resource::list(&KIND, desk, asked)),
    ),
    own(
        Method::POST,
        "/admin/v1/keys",
        "operator_keys_create",
        Permission::KeysWrite,
        BodyLimit::AtMost(BODY),
        "Make a key that reaches every tenant. Its text is in this answer and nowhere else.",
        |desk, asked| Box::pin(keys::create(desk, asked)),
    ),
    own(
        Method::GET,
        "/admin/v1/keys/{id}",
        "operator_keys_show",
        Permission::KeysRead,
        BodyLimit::None,
        "One of the operator's own keys.",
        |desk, asked| Box::pin(resource::show(&KIND, desk, asked)),
    ),
    own(
        Method::DELETE,
        "/admin/v1/keys/{id}",
        "operator_keys_remove",
        Permission::KeysWrite,
        BodyLimit::None,
        "Remove one of the operator's own keys.",
        |desk, asked| Box::pin(keys::remove(desk, asked)),
    ),
    own(
        Method::POST,
        "/admin/v1/keys/{id}/rotate",
        "operator_keys_rotate",
        Permission::KeysWrite,
        BodyLimit::AtMost(1024),
        "Give one of the operator's own keys another text. The one before stays good for `overlap`.",
        |desk, asked| Box::pin(keys::rotate(desk, asked)),
    ),
    own(
        Method::POST,
        "/admin/v1/keys/{id}/revoke",
        "operator_keys_revoke",
        Permission::KeysWrite,
        BodyLimit::AtMost(1024),
        "End one of the operator's own keys for good.",
        |desk, asked| Box::pin(keys::revoke(desk, asked)),
    ),
];

static KIND: Of<Key> = Of::KIND;

/// A row about what is the operator's.
const fn own(
    method: Method,
    path: &'static str,
    name: &'static str,
    requires: Permission,
    body: BodyLimit,
    summary: &'static str,
    work: Work,
) -> Route {
    Route { method, path, name, requires: Requires::Holds(requires), reach: Reach::Operator, body, summary, work }
}

/// How the first owner was made, or is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Making {
    /// Since when.
    at: Timestamp,
    /// The id of the owner's key; none before it is done.
    key: Option<String>,
}

impl Object for Making {
    const KIND: &'static str = "bootstrap";
    const LISTED: bool = false;
}

/// The making's one id.
const FIRST: &str = "first";

/// What a body says.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    /// What the owner is called; `owner` when it does not say.
    user: Option<Name>,
}

async fn bootstrap(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let First { user } = asked.json_or_default()?;
    let owner: Name = "owner".parse().map_err(|why: String| super::asked::unprocessable(why))?;
    let user = user.unwrap_or_else(|| owner.clone());
    let claim = claim(desk).await?;

    let person = User { title: "The first owner".to_owned(), created: desk.now(), ..User::default() };
    // One that is there already is the same person, or what an earlier try left behind.
    let _ = desk.objects()?.create(None, user.as_str(), &person).await.map_err(uncertain)?;
    let terms = Terms { title: "The first owner's".to_owned(), user: Some(user), role: Some(owner), ..Terms::default() };
    let issued = desk.keys()?.create(None, Key::ENVIRONMENT, terms).await.map_err(uncertain)?;

    let done = Making { at: desk.now(), key: Some(issued.id.clone()) };
    let replaced = desk.objects()?.replace(None, FIRST, &done, Some(claim.version)).await;
    match replaced {
        Ok(Ok(_)) => {
            let path = format!("/admin/v1/keys/{}", issued.id);
            Ok(keys::told(issued).created(&path))
        }
        // Somebody else took over, or nobody knows: this key is nobody's.
        failed => {
            let _ = desk.keys()?.remove(None, &issued.id, None).await;
            match failed {
                Ok(_) => Err(made()),
                Err(error) => Err(uncertain(error)),
            }
        }
    }
}

/// Claims the making, or takes over a claim that was not done.
async fn claim(desk: &Desk<'_>) -> Result<Stored<Making>, Problem> {
    let (objects, begun) = (desk.objects()?, Making { at: desk.now(), key: None });
    let claimed = objects.create(None, FIRST, &begun).await.map_err(uncertain)?;
    match claimed {
        Ok(claim) => Ok(claim),
        Err(Exists(Stored { value: Making { key: Some(_), .. }, .. })) => Err(made()),
        Err(Exists(left)) => {
            let taken = objects.replace(None, FIRST, &begun, Some(left.version)).await.map_err(uncertain)?;
            taken.map_err(|_| made())
        }
    }
}

fn made() -> Problem {
    let detail = "The first owner is made, which happens once. Ask them for a key. Is theirs lost? Name a secret in `admin.keys` \
                  of the gateway's file or variables, and make another key with it at `POST /admin/v1/keys`.";
    Problem::new(StatusCode::CONFLICT, "bootstrapped", detail)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use http::Request;
    use serde_json::Value;

    use super::*;
    use crate::body::Body;
    use crate::config::{self, Availability};
    use crate::exchange::Inbound;
    use crate::gateway::Gateway;
    use crate::objects::Objects;
    use crate::ports::Ports;
    use crate::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp};

    fn opened() -> (Arc<Gateway>, Ports) {
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000)));
        let http = Arc::new(ScriptedHttp::replies(clock.clone(), []));
        let memory = MemoryPorts::new(clock, http);
        memory.secrets.set("FIRST", "the-first-secret");
        let loaded = config::load(Some(("edgeway.toml", "[admin]\nbootstrap = \"FIRST\"")), []).expect("TOML");
        let opened = Gateway::open(memory.ports.clone(), loaded, Availability::default()).now_or_never();
        let (gateway, _) = opened.expect("memory never waits").unwrap_or_else(|found| panic!("{}", config::render(&found)));
        (gateway, memory.ports)
    }

    fn ask(gateway: &Arc<Gateway>, method: &str, path: &str, key: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("authorization", format!("Bearer {key}")).body(Body::Empty).expect("well formed");
        let handled = gateway.handle(Inbound { request, peer: None });
        let (parts, body) = handled.response.now_or_never().expect("memory never waits").into_parts();
        let body = body.collect(1 << 20).now_or_never().expect("memory never waits").expect("a whole body");
        let _ = handled.after.now_or_never();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[test]
    fn the_first_owner_is_made_once_and_may_do_everything() {
        let (gateway, _) = opened();
        for (key, status) in [("wrong", 401), ("ew_live_x", 401)] {
            assert_eq!(ask(&gateway, "POST", "/admin/v1/bootstrap", key).0, status);
        }
        assert_eq!(ask(&gateway, "GET", "/admin/v1/tenants", "the-first-secret").0, 401, "it is good for nothing else");
        let (status, made) = ask(&gateway, "POST", "/admin/v1/bootstrap", "the-first-secret");
        assert_eq!(status, 201, "{made}");
        let key = made["key"].as_str().expect("the key's text");
        for path in ["/admin/v1/tenants", "/admin/v1/config", "/admin/v1/keys"] {
            assert_eq!(ask(&gateway, "GET", path, key).0, 200, "{path}");
        }
        let (status, again) = ask(&gateway, "POST", "/admin/v1/bootstrap", "the-first-secret");
        assert_eq!((status, again["code"].as_str()), (409, Some("bootstrapped")));
        let shown = ask(&gateway, "GET", &format!("/admin/v1/keys/{}", made["id"].as_str().expect("an id")), key).1;
        assert!(shown["key"].is_null() && !shown.to_string().contains("mac"), "{shown}");
    }

    #[test]
    fn a_making_that_was_broken_off_can_be_done_again() {
        let (gateway, ports) = opened();
        let objects = Objects::of(&ports).expect("there are cells");
        let begun = Making { at: Timestamp(1), key: None };
        assert!(objects.create(None, FIRST, &begun).now_or_never().expect("memory never waits").expect("stored").is_ok());
        assert_eq!(ask(&gateway, "POST", "/admin/v1/bootstrap", "the-first-secret").0, 201);
        assert_eq!(ask(&gateway, "POST", "/admin/v1/bootstrap", "the-first-secret").0, 409);
    }
}
