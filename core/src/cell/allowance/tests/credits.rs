//! Credits and resets, and what answers say of the rest of an allowance.

use super::*;

#[test]
fn answers_say_what_is_left_and_what_is_spent() {
    let (mut cell, day) = (Cell::at(86_400 * 20_000), terms(10, Window::Fixed(Duration::from_secs(86_400))));
    let reply = cell.send_whole(&ask(day, 1, 4));
    let clear_after = Some(86_400 * SECOND);
    assert_eq!(reply, Reply::Granted { amount: 4, ttl: 10 * SECOND, remaining: 6, clear_after });
    cell.send(&ask(day, 2, 5));
    assert_eq!(cell.send_whole(&settle(1, 3)), Reply::Settled { charged: 8, reserved: 5, credit: 0 });
    let once = Reserve { ttl: Duration::ZERO, ..reserve(day, 3, 1) };
    let reply = cell.send_whole(&Command::Reserve(once));
    assert_eq!(reply, Reply::Granted { amount: 1, ttl: Duration::ZERO, remaining: 1, clear_after });
}

#[test]
fn a_credit_counts_once_and_for_as_long_as_the_present_does() {
    let (mut cell, month) = (Cell::at(1_790_000_000), terms(10, Window::Month));
    assert!(matches!(cell.send(&ask(month, 1, 10)), Reply::Granted { .. }));
    for _ in 0..2 {
        let reply = cell.send(&Command::Credit { terms: month, id: 7, amount: 5 });
        assert!(matches!(reply, Reply::Standing { charged: 10, credit: 5, remaining: 5, .. }), "{reply:?}");
    }
    assert!(matches!(cell.send(&ask(month, 2, 6)), Reply::Refused { remaining: 5, .. }));
    assert!(matches!(cell.send(&ask(month, 2, 5)), Reply::Granted { .. }));
    assert_eq!(cell.send_whole(&settle(2, 5)), Reply::Settled { charged: 15, reserved: 10, credit: 5 });
    cell.later(Duration::from_secs(31 * 86_400));
    assert!(matches!(cell.send(&Command::Look(month)), Reply::Standing { charged: 0, credit: 0, remaining: 10, .. }));
}

#[test]
fn credits_have_a_cap() {
    let (mut cell, month) = (Cell::at(1_790_000_000), terms(10, Window::Month));
    for id in 0..CREDITS as u64 {
        assert!(matches!(cell.send(&Command::Credit { terms: month, id, amount: 1 }), Reply::Standing { .. }));
    }
    let more = cell.send(&Command::Credit { terms: month, id: 1000, amount: 1 });
    assert!(matches!(more, Reply::Refused { because: Refusal::Crowded, remaining: 74, .. }), "{more:?}");
}

#[test]
fn a_reset_forgets_what_is_spent_once_and_keeps_what_is_open() {
    let (mut cell, ever) = (Cell::at(1_790_000_000), terms(10, Window::Ever));
    cell.send(&ask(ever, 1, 4));
    cell.send(&settle(1, 4));
    cell.send(&ask(ever, 2, 3));
    let reset = |id| Command::Reset { terms: ever, id };
    assert!(matches!(cell.send(&reset(9)), Reply::Standing { charged: 3, remaining: 7, open: 1, .. }));
    cell.send(&settle(2, 3));
    assert!(matches!(cell.send(&reset(9)), Reply::Standing { charged: 3, .. }), "the same reset is not another");
    assert!(matches!(cell.send(&reset(10)), Reply::Standing { charged: 0, remaining: 10, .. }));
    assert!(matches!(cell.send(&reset(10)), Reply::Standing { charged: 0, .. }));
    cell.send(&ask(ever, 3, 2));
    assert!(matches!(cell.send(&reset(10)), Reply::Standing { charged: 2, .. }), "nor after everything was forgotten");
}
