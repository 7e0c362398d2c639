//! Many callers at once, on several instances: the figures that limits promise.

use std::time::Duration;

use edgeway_core::ports::Timestamp;
use edgeway_core::ports::memory::Step;
use futures_util::future::join_all;
use http::StatusCode;

use crate::world::{Answered, FORGETFUL, NOW, World, chat, chunk, completion, count, finish, hi, stream, world};

const SECOND: Duration = Duration::from_secs(1);

/// So many callers at once, spread over the instances.
fn at_once(world: &World, callers: usize) -> Vec<Answered> {
    let instances = world.instances.len();
    finish(join_all((0..callers).map(|caller| world.send(caller % instances, chat("alice", &hi())))))
}

#[test]
fn a_strict_limit_is_never_over_with_a_hundred_callers_on_four_instances() {
    for limit in [111, 100, 50, 10] {
        let limits = format!("[limits.all]\nrequests = \"{limit}/minute\"");
        let world = world(4, &limits, |_| completion(3, 2));
        for _ in 0..5 {
            let all = at_once(&world, 100);
            let granted = count(&all, StatusCode::OK);
            assert_eq!(granted, limit.min(100), "of {limit}");
            assert_eq!(granted + count(&all, StatusCode::TOO_MANY_REQUESTS), 100);
            world.later(SECOND * 63);
        }
        assert_eq!(world.records().len(), 500, "each request leaves one record");
    }
}

#[test]
fn answers_that_are_lost_never_let_more_in() {
    let limits = "[limits.all]\nrequests = \"20/minute\"\nwhen_away = \"closed\"\nconcurrency = 1000";
    let world = world(4, limits, |_| completion(3, 2));
    world.set_mood(FORGETFUL);
    let instances = world.instances.len();
    let responses = (0..100).map(|caller| world.handle(caller % instances, chat("alice", &hi())).response);
    let all = finish(join_all(responses));
    let granted = all.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert!((1..=20).contains(&granted), "{granted}");
}

/// Load on a leased limit: so many requests a second, in each second of three minutes. What each minute admitted.
fn leased(limit: u64, per_second: usize) -> Vec<usize> {
    let limits = format!("[limits.all]\nrequests = \"{limit}/minute\"\nmode = \"leased\"");
    let world = world(4, &limits, |_| completion(3, 2));
    let mut admitted: Vec<usize> = Vec::new();
    for _ in 0..180 {
        let all = at_once(&world, per_second);
        admitted.push(count(&all, StatusCode::OK));
        assert_eq!(admitted[admitted.len() - 1] + count(&all, StatusCode::TOO_MANY_REQUESTS), per_second);
        world.later(SECOND);
    }
    admitted
}

#[test]
fn a_leased_limit_is_never_over_and_hardly_under_with_four_instances() {
    let limit = 1200_u64;
    for (per_second, least) in [(18, 18 * 60), (20, 1140), (40, 1140), (200, 1140)] {
        let admitted = leased(limit, per_second);
        for window in admitted.windows(60) {
            let sum = window.iter().sum::<usize>();
            assert!(sum <= usize::try_from(limit).expect("small"), "{sum} of {limit} at {per_second} a second");
        }
        let first: usize = admitted[..60].iter().sum();
        assert!(first >= least, "only {first} of {limit} in the first minute at {per_second} a second");
        let all: usize = admitted.iter().sum();
        let offered = (per_second * 180).min(usize::try_from(limit).expect("small") * 3);
        assert!(all * 100 >= offered * 95, "only {all} of {offered} in three minutes at {per_second} a second");
    }
}

#[test]
fn a_leased_limit_asks_the_cell_for_a_fraction_of_its_requests() {
    let world = world(1, "[admission]\ninstances = 1\n[limits.all]\nrequests = \"40000/minute\"\nmode = \"leased\"", |_| {
        completion(3, 2)
    });
    world.commands();
    for _ in 0..50 {
        assert_eq!(count(&at_once(&world, 20), StatusCode::OK), 20);
        world.later(Duration::from_millis(20));
    }
    let commands = world.commands();
    assert!(commands <= 25, "{commands} commands for 1,000 requests");
}

#[test]
fn a_clock_that_goes_back_or_leaps_leaves_windows_sane() {
    for mode in ["strict", "leased"] {
        let limits = format!("[admission]\ninstances = 1\n[limits.all]\nrequests = \"100/minute\"\nmode = \"{mode}\"");
        let world = world(1, &limits, |_| completion(3, 2));
        assert!(count(&at_once(&world, 120), StatusCode::OK) <= 100);
        world.clock.set(Timestamp(NOW.0 - 3_600_000_000));
        assert_eq!(count(&at_once(&world, 50), StatusCode::OK), 0, "an hour back frees nothing");
        world.clock.set(NOW.plus(SECOND * 3600));
        let later = count(&at_once(&world, 120), StatusCode::OK);
        assert!((95..=100).contains(&later), "an hour on frees everything, once: {later}");
        assert!(count(&at_once(&world, 120), StatusCode::OK) <= 100 - later);
    }
}

#[test]
fn slots_are_exact_and_those_of_callers_that_leave_come_back() {
    let world = world(4, "[limits.all]\nconcurrency = 7", |_| completion(3, 2));
    for round in 0..20 {
        let instances = world.instances.len();
        let handled: Vec<_> = (0..50).map(|caller| world.handle(caller % instances, chat("alice", &hi()))).collect();
        let (responses, afters): (Vec<_>, Vec<_>) = handled.into_iter().map(|handled| (handled.response, handled.after)).unzip();
        let answers = finish(join_all(responses));
        let granted = answers.iter().filter(|answer| answer.status() == StatusCode::OK).count();
        assert_eq!(granted, 7, "in round {round}");
        drop(answers);
        finish(join_all(afters));
    }
    assert_eq!(world.records().len(), 1000);
}

#[test]
fn a_slot_is_renewed_while_its_request_lasts_and_expires_with_its_instance() {
    let world = world(2, "[limits.all]\nconcurrency = 1", |_| stream([Step::Chunk(chunk("hello")), Step::Stall]));
    let mut body = hi();
    body["stream"] = true.into();
    let handled = world.handle(0, chat("alice", &body));
    let (answer, mut after) = (finish(handled.response), handled.after);
    assert_eq!(answer.status(), StatusCode::OK);
    let refused =
        |world: &World| finish(world.handle(1, chat("alice", &body)).response).status() == StatusCode::TOO_MANY_REQUESTS;
    for _ in 0..8 {
        assert!(refused(&world), "two minutes and more after it began");
        world.later(SECOND * 20);
        for _ in 0..50 {
            let _ = futures_util::FutureExt::now_or_never(&mut after);
        }
    }
    // The instance dies: nobody renews, and nobody settles.
    drop(after);
    world.later(SECOND * 39);
    assert!(refused(&world));
    world.later(SECOND * 22);
    assert!(!refused(&world));
    drop(answer);
}

#[test]
fn an_instance_that_ends_gives_its_slices_back() {
    let limits = "[admission]\ninstances = 1\n[limits.all]\nrequests = \"4000/day\"\nmode = \"leased\"\n";
    let world = world(2, limits, |_| completion(3, 2));
    assert_eq!(finish(world.send(0, chat("alice", &hi()))).status(), StatusCode::OK);
    finish(world.instances[0].close());
    let answer = finish(world.send(1, chat("alice", &hi())));
    let left = crate::world::header(&answer, "x-ratelimit-remaining-requests");
    assert_eq!(left, Some("3899"), "all but one request, and the slice of the other instance");
}
