use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::pending;

use super::*;
use crate::config::{self, Availability};
use crate::error::{Error, ErrorKind};
use crate::identity::{Access, Keys, Terms};
use crate::ports::memory::{ManualClock, MemoryCells, MemoryPorts, ScriptedHttp};
use crate::ports::{CellStep, CellStore, Secret};

/// Cells that count what they are asked, and do as they are told.
struct Watched {
    cells: MemoryCells,
    asked: AtomicUsize,
    mood: AtomicU8,
}

const WELL: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;

#[async_trait]
impl CellStore for Watched {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.mood.load(Ordering::SeqCst) {
            WELL => self.cells.command(name, step, command).await,
            FAILS => Err(Error::new(ErrorKind::Overloaded, "The store is away.")),
            _ => pending().await,
        }
    }
}

struct World {
    clock: Arc<ManualClock>,
    cells: Arc<Watched>,
    ports: Ports,
    objects: Objects,
    config: Config,
    keyring: Keyring,
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
        let cells = MemoryCells::new(clock.clone(), 64 << 20);
        let cells = Arc::new(Watched { cells, asked: AtomicUsize::new(0), mood: AtomicU8::new(WELL) });
        let mut ports = MemoryPorts::new(clock.clone(), Arc::new(ScriptedHttp::replies(clock.clone(), []))).ports;
        ports.cells = Some(cells.clone());
        let loaded = config::load(Some(("edgeway.toml", "[auth]\nrequired = true")), []).expect("TOML");
        let (config, _) = config::compile(&loaded, &Availability::default()).expect("compiles");
        let objects = Objects::of(&ports).expect("there are cells");
        let world = Self { clock, cells, objects, config, keyring: Keyring::new(&ports), ports };
        world.make(None, "acme", &Tenant::default());
        world
    }

    fn make<T: crate::objects::Object + Clone>(&self, tenant: Option<&Name>, id: &str, object: &T) {
        let made = now(self.objects.create(tenant, id, object)).expect("stored");
        assert!(made.is_ok(), "there is one already");
    }

    fn change<T: crate::objects::Object + Clone>(&self, tenant: Option<&Name>, id: &str, object: &T) {
        let changed = now(self.objects.replace(tenant, id, object, None)).expect("stored");
        assert!(changed.is_ok(), "there is none");
    }

    fn keys(&self) -> Keys<'_> {
        Keys { objects: &self.objects, entropy: &*self.ports.entropy, now: self.clock.now() }
    }

    fn key(&self, terms: Terms) -> (String, Secret) {
        let issued = now(self.keys().create(Some(&name("acme")), "live", terms)).expect("stored");
        (issued.id, issued.text)
    }

    fn identify(&self, text: &str) -> Result<Caller> {
        now(self.keyring.identify(text, &self.config))
    }

    /// What it costs to identify a text, in commands to cells.
    fn cost(&self, text: &str) -> usize {
        let before = self.cells.asked.load(Ordering::SeqCst);
        let _ = self.identify(text);
        self.cells.asked.load(Ordering::SeqCst) - before
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn feel(&self, mood: u8) {
        self.cells.mood.store(mood, Ordering::SeqCst);
    }

    fn refuses(&self, text: &str, why: &str) {
        let error = self.identify(text).err().unwrap_or_else(|| panic!("{why}: let in"));
        assert_eq!((error.kind, error.message), (ErrorKind::Unauthenticated, super::super::refused().message), "{why}");
    }
}

/// Another secret for the same key.
fn forged(world: &World, id: &str) -> Secret {
    Credential::mint("live", id, &*world.ports.entropy).expect("plain names").text()
}

#[test]
fn a_key_says_whose_it_is_and_what_all_it_names_carries() {
    let world = World::new();
    let acme = name("acme");
    let limits = |rate: &str| Limits { requests: vec![rate.parse().expect("a rate")], ..Limits::default() };
    world.change(None, "acme", &Tenant { limits: limits("1000/minute"), ..Tenant::default() });
    world.make(Some(&acme), "search", &Team { budgets: vec!["5usd/day".parse().expect("a budget")], ..Team::default() });
    world.make(Some(&acme), "bot", &Application { team: Some(name("search")), ..Application::default() });
    world.make(Some(&acme), "ada", &User::default());
    let terms = Terms {
        application: Some(name("bot")),
        user: Some(name("ada")),
        role: Some(name("developer")),
        access: Access { models: vec!["gpt-*".into()], ..Access::default() },
        labels: [("tier".to_owned(), "gold".to_owned())].into(),
        limits: limits("60/minute"),
        informed: false,
        ..Terms::default()
    };
    let (id, text) = world.key(terms);
    let caller = world.identify(text.expose()).expect("a good key");
    assert_eq!((caller.name(), caller.tenant.as_ref()), (Some(id.clone()), Some(&acme)));
    assert_eq!((caller.team, caller.application, caller.user), (Some(name("search")), Some(name("bot")), Some(name("ada"))));
    assert_eq!((caller.labels["tier"].as_str(), caller.informed), ("gold", false));
    assert_eq!(caller.access.models, ["gpt-*"]);
    assert_eq!(caller.permissions, role::within(Some(&acme), role::built_in("developer").expect("a role")));
    let shares: Vec<_> = caller.shares.iter().map(|share| share.of.clone()).collect();
    assert_eq!(shares, [format!("key/{id}"), "team/acme/search".to_owned(), "tenant/acme".to_owned()]);
}

#[test]
fn a_role_allows_what_it_lists_within_what_its_user_and_tenant_may() {
    let world = World::new();
    let acme = name("acme");
    let allows = |terms: Terms| world.identify(world.key(terms).1.expose()).expect("a good key").permissions;
    let of = |list: &[Permission]| list.iter().copied().collect::<Permissions>();
    assert_eq!(allows(Terms::default()), of(&[Permission::Invoke]));
    let owner = allows(Terms { role: Some(name("owner")), ..Terms::default() });
    assert!(
        owner.holds(Permission::KeysWrite) && !owner.holds(Permission::ConfigWrite) && !owner.holds(Permission::TenantsWrite)
    );

    let permissions = vec![Permission::UsageRead, Permission::ConfigWrite, Permission::Invoke];
    world.make(Some(&acme), "counter", &Role { permissions, ..Role::default() });
    let counter = Terms { role: Some(name("counter")), ..Terms::default() };
    assert_eq!(allows(counter.clone()), of(&[Permission::Invoke, Permission::UsageRead]));
    world.make(Some(&acme), "ada", &User { role: Some(name("viewer")), ..User::default() });
    assert_eq!(allows(Terms { user: Some(name("ada")), ..counter }), of(&[Permission::UsageRead]));
    assert_eq!(allows(Terms { role: Some(name("gone")), ..Terms::default() }), Permissions::NONE);

    let operators =
        now(world.keys().create(None, "live", Terms { role: Some(name("owner")), ..Terms::default() })).expect("stored");
    let operator = world.identify(operators.text.expose()).expect("a good key");
    assert_eq!((operator.tenant, operator.permissions.covers(Permissions::ALL)), (None, true));
}

#[test]
fn every_key_that_is_not_good_is_refused_in_the_same_words() {
    let world = World::new();
    let acme = name("acme");
    let (id, text) = world.key(Terms::default());
    let text = text.expose();
    assert!(world.identify(text).is_ok());
    world.refuses("ew_", "malformed");
    world.refuses(&text[..text.len() - 1], "cut off");
    world.refuses(&format!("{text}a"), "too long");
    world.refuses(forged(&world, &Credential::new_id(&*world.ports.entropy)).expose(), "unknown");
    world.refuses(forged(&world, &id).expose(), "another secret");
    let test = Credential::mint("test", &id, &*world.ports.entropy).expect("plain names").text();
    world.refuses(test.expose(), "another environment");

    let ends = world.clock.now().plus(Duration::from_secs(10));
    let (_, expiring) = world.key(Terms { expires: Some(ends), ..Terms::default() });
    assert!(world.identify(expiring.expose()).is_ok());
    world.pass(10);
    world.refuses(expiring.expose(), "expired");

    now(world.keys().revoke(Some(&acme), &id, None)).expect("stored").expect("there");
    world.pass(1);
    world.refuses(text, "revoked");

    for gone in ["team", "application", "user"] {
        let named = |kind: &str| (kind == gone).then(|| name("gone"));
        let terms = Terms { team: named("team"), application: named("application"), user: named("user"), ..Terms::default() };
        world.refuses(world.key(terms).1.expose(), gone);
    }
    let (_, text) = world.key(Terms::default());
    assert!(world.identify(text.expose()).is_ok());
    world.change(None, "acme", &Tenant { suspended: true, ..Tenant::default() });
    world.pass(1);
    world.refuses(text.expose(), "its tenant is suspended");
    world.change(None, "acme", &Tenant::default());
    world.pass(1);
    assert!(world.identify(text.expose()).is_ok(), "and is again let in");
    now(world.objects.remove::<Tenant>(None, "acme", None)).expect("stored").expect("there");
    world.pass(1);
    world.refuses(text.expose(), "its tenant is gone");
}

#[test]
fn a_refusal_costs_two_reads_whatever_was_known() {
    let world = World::new();
    let (id, text) = world.key(Terms::default());
    let other = |id: &str| forged(&world, id);
    assert_eq!(world.cost(other(&id).expose()), 2, "a known id, cold");
    assert_eq!(world.cost(other(&Credential::new_id(&*world.ports.entropy)).expose()), 2, "an unknown id");
    assert!(world.identify(text.expose()).is_ok());
    assert_eq!(world.cost(text.expose()), 0, "the key itself, a moment later");
    assert_eq!(world.cost(other(&id).expose()), 2, "a known id, warm");
    world.pass(1);
    assert_eq!(world.cost(other(&id).expose()), 2, "a known id, lukewarm");
    let repeated = other(&id);
    assert_eq!((world.cost(repeated.expose()), world.cost(repeated.expose())), (2, 0), "the same text again");
    assert_eq!(world.cost("ew_live_nonsense"), 0, "what can be no key");
}

#[test]
fn a_change_is_noticed_after_the_refresh_and_a_new_secret_at_once() {
    let world = World::new();
    let acme = name("acme");
    let (id, text) = world.key(Terms::default());
    assert!(world.identify(text.expose()).is_ok());
    let rotated = now(world.keys().rotate(Some(&acme), &id, Duration::from_secs(60), None)).expect("stored");
    let rotated = rotated.unwrap_or_else(|_| panic!("nobody else changed it"));
    assert!(world.identify(rotated.text.expose()).is_ok(), "the new secret opens at once");
    world.pass(59);
    assert!(world.identify(text.expose()).is_ok(), "the old one too, for as long as they overlap");
    world.pass(1);
    world.refuses(text.expose(), "the overlap is over, to the second");

    assert!(world.identify(rotated.text.expose()).is_ok());
    now(world.keys().revoke(Some(&acme), &id, None)).expect("stored").expect("there");
    assert!(world.identify(rotated.text.expose()).is_ok(), "it was good less than a second ago");
    world.keyring.forget();
    world.refuses(rotated.text.expose(), "this instance was told");
}

#[test]
fn an_instance_that_is_not_told_notices_a_revocation_within_the_refresh() {
    let world = World::new();
    let (id, text) = world.key(Terms::default());
    assert!(world.identify(text.expose()).is_ok());
    now(world.keys().revoke(Some(&name("acme")), &id, None)).expect("stored").expect("there");
    world.clock.advance(world.config.auth_refresh);
    world.refuses(text.expose(), "revoked elsewhere");
}

#[test]
fn while_the_store_is_away_keys_in_use_stay_good_and_others_are_told_so() {
    for mood in [FAILS, HANGS] {
        let world = World::new();
        let (_, used) = world.key(Terms::default());
        let (_, unused) = world.key(Terms::default());
        assert!(world.identify(used.expose()).is_ok());
        world.pass(1);
        world.feel(mood);
        assert!(world.identify(used.expose()).is_ok());
        assert_eq!(world.cost(used.expose()), 0, "the store is not asked again at once");
        let error = world.identify(unused.expose()).expect_err("nobody knows it");
        assert_eq!((error.kind, error.status().as_u16()), (ErrorKind::Overloaded, 503));
        let error =
            world.identify(forged(&world, &Credential::new_id(&*world.ports.entropy)).expose()).expect_err("nobody knows");
        assert_eq!(error.kind, ErrorKind::Overloaded, "no more is said of what there is not");
        world.pass(290);
        assert!(world.identify(used.expose()).is_ok(), "within the grace");
        world.pass(10);
        assert_eq!(world.identify(used.expose()).expect_err("the grace is over").kind, ErrorKind::Overloaded);
        world.feel(WELL);
        assert!(world.identify(used.expose()).is_ok() && world.identify(unused.expose()).is_ok());
    }
}

#[test]
fn a_clock_that_is_set_back_makes_everything_old() {
    let world = World::new();
    let (id, text) = world.key(Terms::default());
    assert!(world.identify(text.expose()).is_ok());
    now(world.keys().revoke(Some(&name("acme")), &id, None)).expect("stored").expect("there");
    world.clock.set(Timestamp(1_600_000_000_000_000));
    world.refuses(text.expose(), "what was known is from the future");
}

#[test]
fn what_is_remembered_has_a_bound() {
    let world = World::new();
    for number in 0..3 * KEYS {
        let _ = world.identify(&format!("ew_{number}"));
    }
    assert!(world.keyring.refused.len() <= KEYS && world.keyring.refused.len() > KEYS / 4);
}
