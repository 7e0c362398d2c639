//! When issuers are asked for their keys, and what happens while they do not answer.

use super::*;

#[test]
fn unknown_names_of_keys_make_at_most_one_fetch_in_thirty_seconds() {
    let world = usual();
    world.good(&token(1, "a"));
    assert_eq!(world.issuers.asked(), 1);
    for second in 0..60 {
        for stranger in 0..20 {
            world.refused(&token(9, &format!("unknown-{second}-{stranger}")));
        }
        world.good(&token(1, "a"));
        world.advance(1);
    }
    assert_eq!(world.issuers.asked(), 2, "one at the beginning, one after thirty seconds");
}

#[test]
fn a_new_key_is_found_when_its_first_token_comes_and_an_old_one_goes_with_the_set() {
    let world = usual();
    world.good(&token(1, "a"));
    world.advance(31);
    world.publish(ISSUER, &[published(1, "a"), published(2, "b")]);
    world.good(&token(2, "b"));
    world.good(&token(1, "a"));
    world.publish(ISSUER, &[published(2, "b")]);
    world.advance(300);
    world.good(&token(1, "a"));
    world.advance(301);
    world.refused(&token(1, "a"));
    world.good(&token(2, "b"));
    // A set without keys trusts nobody.
    world.publish(ISSUER, &[]);
    world.advance(601);
    world.refused(&token(2, "b"));
}

#[test]
fn keys_outlive_their_issuer_by_the_grace_and_no_longer() {
    let world = usual();
    world.good(&token(1, "a"));
    world.issuers.go_away();
    for hour in 1..24 {
        world.advance(3600);
        assert_eq!(world.good(&token(1, "a")).subject, "ada", "after {hour} hours");
    }
    world.advance(3600);
    let error = world.verify(&token(1, "a")).expect_err("too old");
    assert_eq!(error.kind, ErrorKind::Overloaded);
    assert!(error.retry_after.expect("it says when") <= sets::PAUSE && !error.message.contains("login.example"));
    world.discoverable(ISSUER);
    world.publish(ISSUER, &[published(1, "a")]);
    world.advance(31);
    world.good(&token(1, "a"));
}

#[test]
fn an_issuer_that_was_never_reached_is_asked_again_in_thirty_seconds() {
    let world = world(ONE);
    for _ in 0..50 {
        assert_eq!(world.verify(&token(1, "a")).expect_err("nobody knows").kind, ErrorKind::Overloaded);
    }
    let said = world.memory.events.notices();
    assert_eq!(said.len(), 1);
    assert!(said[0].event == "issuer_unavailable" && said[0].message.contains("auth.issuers.one"), "{said:?}");
    world.discoverable(ISSUER);
    world.publish(ISSUER, &[published(1, "a")]);
    assert!(world.verify(&token(1, "a")).is_err());
    world.advance(30);
    world.good(&token(1, "a"));
}

#[test]
fn a_discovery_document_leads_nowhere_but_to_its_own_origin() {
    for (document, why) in [
        (json!({"issuer": ISSUER, "jwks_uri": "https://evil.example/keys"}), "another origin"),
        (json!({"issuer": ISSUER, "jwks_uri": "http://login.example/keys"}), "another origin"),
        (json!({"issuer": ISSUER, "jwks_uri": "https://login.example:8443/keys"}), "another origin"),
        (json!({"issuer": ISSUER, "jwks_uri": "https://login.example@evil.example/keys"}), "another origin"),
        (json!({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}), "another origin"),
        (json!({"issuer": "https://evil.example", "jwks_uri": "https://login.example/keys"}), "speaks for"),
        (json!({"issuer": "https://login.example/", "jwks_uri": "https://login.example/keys"}), "speaks for"),
        (json!({"jwks_uri": "https://login.example/keys"}), "no discovery document"),
        (json!([]), "no discovery document"),
    ] {
        let world = usual();
        world.issuers.publish("https://evil.example/keys", json!({"keys": [published(1, "a")]}));
        world.issuers.publish("https://login.example/.well-known/openid-configuration", document.clone());
        let error = world.verify(&token(1, "a")).expect_err("it is not followed");
        assert!(error.source.as_ref().is_some_and(|source| source.contains(why)), "{document}: {error:?}");
        assert_eq!(world.issuers.asked(), 0, "{document}");
    }
    let world = world(&format!("{ONE}jwks = \"https://keys.example/set?version=2\"\n"));
    world.issuers.publish("https://keys.example/set?version=2", json!({"keys": [published(1, "a")]}));
    world.good(&token(1, "a"));
}

#[test]
fn instances_that_share_cells_ask_once_together_and_an_instance_that_begins_anew_asks_nobody() {
    let world = usual();
    world.good(&token(1, "a"));
    for _ in 0..5 {
        let other = Tokens::default();
        let verified =
            other.verify(&token(1, "a"), &world.memory.ports, &world.config).now_or_never().expect("memory never waits");
        verified.expect("the keys are shared");
        let unknown =
            other.verify(&token(9, "z"), &world.memory.ports, &world.config).now_or_never().expect("memory never waits");
        assert_eq!(unknown.expect_err("unknown").kind, ErrorKind::Unauthenticated);
    }
    assert_eq!(world.issuers.asked(), 1);
    world.publish(ISSUER, &[published(2, "b")]);
    world.advance(31);
    let other = Tokens::default();
    other
        .verify(&token(2, "b"), &world.memory.ports, &world.config)
        .now_or_never()
        .expect("memory never waits")
        .expect("it is new");
    world.advance(1);
    world.good(&token(2, "b"));
    assert_eq!(world.issuers.asked(), 2, "the other has asked for all");
}

#[test]
fn without_cells_each_instance_asks_for_itself() {
    let mut world = usual();
    world.memory.ports.cells = None;
    world.good(&token(1, "a"));
    world.good(&token(1, "a"));
    let other = Tokens::default();
    other
        .verify(&token(1, "a"), &world.memory.ports, &world.config)
        .now_or_never()
        .expect("memory never waits")
        .expect("it is good");
    assert_eq!(world.issuers.asked(), 2);
}

#[test]
fn requests_that_come_while_the_issuer_is_asked_wait_for_its_answer() {
    let clock = Arc::new(ManualClock::at(NOW));
    let (send, receive) = futures_channel::oneshot::channel::<()>();
    let gate = Mutex::new(Some(receive));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let http = ScriptedHttp::new(clock.clone(), move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        let gate = gate.lock().expect("not poisoned").take();
        async move {
            if let Some(gate) = gate {
                let _ = gate.await;
            }
            Ok(http::Response::new(Body::from(json!({"keys": [published(1, "a")]}).to_string())))
        }
        .boxed()
    });
    let memory = MemoryPorts::new(clock.clone(), Arc::new(http));
    let config = configured(&format!("{ONE}jwks = \"https://keys.example/\"\n"));
    let (tokens, token) = (Tokens::default(), token(1, "a"));
    let mut all: Vec<_> = (0..20).map(|_| Box::pin(tokens.verify(&token, &memory.ports, &config))).collect();
    assert!(all.iter_mut().all(|one| one.as_mut().now_or_never().is_none()), "all of them wait");
    send.send(()).expect("the first one asks");
    assert!(all[0].as_mut().now_or_never().expect("answered").is_ok());
    clock.advance(Duration::from_millis(60));
    assert!(all[1..].iter_mut().all(|one| one.as_mut().now_or_never().is_some_and(|done| done.is_ok())));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_caller_who_goes_away_does_not_keep_the_others_out() {
    let clock = Arc::new(ManualClock::at(NOW));
    let first = AtomicUsize::new(0);
    let http = ScriptedHttp::new(clock.clone(), move |_| {
        let stalls = first.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if stalls {
                futures_util::future::pending::<()>().await;
            }
            Ok(http::Response::new(Body::from(json!({"keys": [published(1, "a")]}).to_string())))
        }
        .boxed()
    });
    let memory = MemoryPorts::new(clock.clone(), Arc::new(http));
    let config = configured(&format!("{ONE}jwks = \"https://keys.example/\"\n"));
    let (tokens, token) = (Tokens::default(), token(1, "a"));
    let mut gone = Box::pin(tokens.verify(&token, &memory.ports, &config));
    assert!(gone.as_mut().now_or_never().is_none());
    drop(gone);
    clock.advance(Duration::from_secs(2));
    tokens.verify(&token, &memory.ports, &config).now_or_never().expect("nothing stalls").expect("it is good");
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_old_keys_young() {
    let world = usual();
    world.good(&token(1, "a"));
    world.memory.clock.set(Timestamp(NOW.0 - 86_400_000_000));
    world.publish(ISSUER, &[published(2, "b")]);
    world.refused(&token(1, "a"));
    assert_eq!(world.issuers.asked(), 2);
}

#[test]
fn no_more_sets_are_held_than_there_is_room_for() {
    let world = world("");
    for number in 0..100 {
        let issuer = format!("https://{number}.example");
        let config = configured(&format!("[auth.issuers.x]\nissuer = \"{issuer}\"\naudience = [\"edgeway\"]\n"));
        world.discoverable(&issuer);
        world.publish(&issuer, &[published(1, "a")]);
        let mut claims = claims();
        claims["iss"] = json!(issuer);
        let token = signed(1, &json!({"alg": "ES256", "kid": "a"}), &claims);
        world
            .tokens
            .verify(&token, &world.memory.ports, &config)
            .now_or_never()
            .expect("memory never waits")
            .expect("it is good");
        world.memory.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(world.tokens.sets.len(), 64);
}

#[test]
fn a_set_has_as_many_keys_as_there_is_room_for() {
    let many: Vec<Value> = (1..=200).map(|number| published(number, &number.to_string())).collect();
    let set = jwk::KeySet::read(json!({"keys": many}).to_string().as_bytes()).expect("a set");
    assert_eq!(set.published().len(), jwk::MOST_KEYS);
    assert!(jwk::KeySet::read(b"{\"keys\":{}}").is_err() && jwk::KeySet::read(b"{\"keys\":[],\"keys\":[]}").is_err());
}
