//! Every endpoint, asked by everybody: each role of one's own tenant, of another one and of the operator, keys of the
//! configuration, keys that are not good, and nobody. What must come of it is worked out here a second time, from the tables
//! of endpoints and roles alone.

use std::sync::Arc;

use futures_util::FutureExt;
use http::{Method, Request, StatusCode};
use serde_json::Value;

use super::Gateway;
use crate::admin::{self, Reach};
use crate::body::Body;
use crate::config::{self, Availability};
use crate::endpoint::{self, Requires};
use crate::exchange::Inbound;
use crate::identity::{Application, Credential, Keys, Name, Permission, Permissions, Role, Team, Tenant, Terms, User, role};
use crate::objects::{Object, Objects};
use crate::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp};
use crate::ports::{Ports, Timestamp};

const FILE: &str = "\
[auth]
keys = [\"CALLER\"]
[admin]
keys = [\"ADMIN\"]
bootstrap = \"FIRST\"
";

/// Somebody, and what they may do.
#[derive(Clone, Debug)]
struct Somebody {
    label: String,
    /// What they show.
    key: Option<String>,
    /// What they may do where models are called, and whose they are; `None` where they are not known.
    calls: Option<Permissions>,
    /// The same at the administration.
    administers: Option<Permissions>,
    tenant: Option<Name>,
}

/// An endpoint.
struct Row {
    method: &'static Method,
    path: String,
    requires: Requires,
    /// Whose business it is, at the administration.
    reach: Option<Reach>,
}

struct World {
    gateway: Arc<Gateway>,
    ports: Ports,
    everybody: Vec<Somebody>,
    /// A key of the tenant `acme` for others to look at, and one of the operator's.
    victims: [String; 2],
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn now<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("memory never waits")
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::skipping(Timestamp(1_700_000_000_000_000)));
        let http = Arc::new(ScriptedHttp::replies(clock.clone(), []));
        let memory = MemoryPorts::new(clock, http);
        for secret in ["CALLER", "ADMIN", "FIRST"] {
            memory.secrets.set(secret, format!("the-secret-{secret}"));
        }
        let ports = memory.ports;
        let loaded = config::load(Some(("edgeway.toml", FILE)), []).expect("TOML");
        let opened = now(Gateway::open(ports.clone(), loaded, Availability::default()));
        let (gateway, _) = opened.unwrap_or_else(|found| panic!("{}", config::render(&found)));
        let mut world = Self { gateway, ports, everybody: Vec::new(), victims: [String::new(), String::new()] };
        for tenant in ["acme", "other"] {
            world.make(None, tenant, &Tenant::default());
            let tenant = name(tenant);
            world.make(Some(&tenant), "thing", &Team::default());
            world.make(Some(&tenant), "thing", &Application::default());
            world.make(Some(&tenant), "thing", &User::default());
            world.make(Some(&tenant), "thing", &Role::default());
        }
        world.victims = [Some(name("acme")), None].map(|tenant| world.key(tenant.as_ref(), None).0);
        world.everybody = world.meet();
        world
    }

    fn make<T: Object + Clone>(&self, tenant: Option<&Name>, id: &str, object: &T) {
        let objects = Objects::of(&self.ports).expect("there are cells");
        assert!(now(objects.create(tenant, id, object)).expect("stored").is_ok());
    }

    fn key(&self, tenant: Option<&Name>, role: Option<&str>) -> (String, String) {
        let objects = Objects::of(&self.ports).expect("there are cells");
        let keys = Keys { objects: &objects, entropy: &*self.ports.entropy, now: self.ports.clock.now() };
        let terms = Terms { role: role.map(name), ..Terms::default() };
        let issued = now(keys.create(tenant, "live", terms)).expect("stored");
        (issued.id, issued.text.expose().to_owned())
    }

    fn meet(&self) -> Vec<Somebody> {
        let invoke: Permissions = [Permission::Invoke].into_iter().collect();
        let stranger = |label: &str, key: Option<String>| Somebody {
            label: label.to_owned(),
            key,
            calls: None,
            administers: None,
            tenant: None,
        };
        let unknown = Credential::mint("live", "aaaaaaaaaaaaaaaa", &*self.ports.entropy).expect("plain names");
        let forged = Credential::mint("live", &self.victims[0], &*self.ports.entropy).expect("plain names");
        let mut everybody = vec![
            stranger("nobody", None),
            stranger("a wrong key", Some("wrong".to_owned())),
            stranger("a malformed key", Some("ew_live_x".to_owned())),
            stranger("an unknown key", Some(unknown.text().expose().to_owned())),
            stranger("a forged key", Some(forged.text().expose().to_owned())),
            stranger("the bootstrap secret", Some("the-secret-FIRST".to_owned())),
            Somebody { calls: Some(invoke), ..stranger("the operator's caller", Some("the-secret-CALLER".to_owned())) },
            Somebody { administers: Some(Permissions::ALL), ..stranger("the operator", Some("the-secret-ADMIN".to_owned())) },
        ];
        for tenant in [Some(name("acme")), Some(name("other")), None] {
            for role in [None].into_iter().chain(role::BUILT_IN.map(Some)) {
                let allowed = role.map_or(invoke, |role| role::built_in(role).expect("a built-in role"));
                let allowed = role::within(tenant.as_ref(), allowed);
                everybody.push(Somebody {
                    label: format!("{} of {}", role.unwrap_or("no role"), tenant.as_ref().map_or("the operator", Name::as_str)),
                    key: Some(self.key(tenant.as_ref(), role).1),
                    calls: Some(allowed),
                    administers: Some(allowed),
                    tenant: tenant.clone(),
                });
            }
        }
        everybody
    }

    fn rows(&self) -> Vec<Row> {
        let served = endpoint::served().map(|(method, path, requires)| Row { method, path, requires, reach: None });
        let administered = admin::routes().map(|route| {
            let victim = &self.victims[usize::from(route.reach == Reach::Operator)];
            let id = if route.path.contains("/keys/") { victim } else { "thing" };
            let path = route.path.replace("{tenant}", "acme").replace("{id}", id).replace("{number}", "1");
            Row { method: &route.method, path, requires: route.requires, reach: Some(route.reach) }
        });
        served.chain(administered).collect()
    }

    fn ask(&self, method: &Method, path: &str, key: Option<&str>) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        request = request.header("content-type", "application/json").header("if-match", "*");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let takes = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
        let request = request.body(if takes { Body::from("{}") } else { Body::Empty }).expect("well formed");
        let handled = self.gateway.handle(Inbound { request, peer: None });
        let (parts, body) = now(handled.response).into_parts();
        let body = now(body.collect(1 << 20)).expect("a whole body");
        let _ = handled.after.now_or_never();
        (parts.status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// How a request is refused; `None` when it is not.
fn expected(row: &Row, who: &Somebody) -> Option<u16> {
    let known = if row.reach.is_some() { who.administers } else { who.calls };
    let needed = match row.requires {
        Requires::Anyone => return None,
        Requires::Bootstrap => return if who.label == "the bootstrap secret" { None } else { Some(401) },
        Requires::Known => None,
        Requires::Holds(permission) => Some(permission),
    };
    let Some(allowed) = known else { return Some(401) };
    match (row.reach, &who.tenant) {
        _ if needed.is_some_and(|needed| !allowed.holds(needed)) => Some(403),
        (Some(Reach::Operator), Some(_)) => Some(403),
        (Some(Reach::Tenant), Some(tenant)) if tenant.as_str() != "acme" => Some(404),
        _ => None,
    }
}

#[test]
fn every_endpoint_refuses_everybody_but_those_whom_it_is_for() {
    let mut world = World::new();
    let count = (world.rows().len(), world.everybody.len());
    assert!(count.0 > 40 && count.1 == 26, "{count:?}");
    let mut let_in = 0;
    for index in 0..count.0 {
        for person in 0..count.1 {
            let (row, who) = (&world.rows()[index], world.everybody[person].clone());
            let (status, body) = world.ask(row.method, &row.path, who.key.as_deref());
            let line = format!("{} {} by {}: {status} {body}", row.method, row.path, who.label);
            match expected(row, &who) {
                Some(refused) => assert_eq!(status.as_u16(), refused, "{line}"),
                None => {
                    let_in += 1;
                    // Who is let in may still not grant what they do not hold.
                    let refused = matches!(status.as_u16(), 401 | 403 | 500) && body["lacking"].is_null();
                    assert!(!refused, "{line}");
                    assert!(status != StatusCode::NOT_FOUND || row.reach != Some(Reach::Tenant), "{line}");
                    // What was let in may have changed the world for the next.
                    if row.method != Method::GET {
                        world = World::new();
                    }
                }
            }
        }
    }
    assert!(let_in > 200, "{let_in}");
}

#[test]
fn another_tenant_looks_like_one_that_is_not_there() {
    let world = World::new();
    let other = world.everybody.iter().find(|who| who.label == "owner of other").expect("they exist");
    let stripped = |path: &str| {
        let (status, mut body) = world.ask(&Method::GET, path, other.key.as_deref());
        body["instance"] = Value::Null;
        (status, body)
    };
    for rest in ["", "/teams", "/teams/thing", "/teams/none", "/keys", "/users/thing"] {
        let theirs = stripped(&format!("/admin/v1/tenants/acme{rest}"));
        assert_eq!(theirs, stripped(&format!("/admin/v1/tenants/no-such{rest}")), "{rest}");
        assert_eq!(theirs.0, StatusCode::NOT_FOUND);
    }
}
