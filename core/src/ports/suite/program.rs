//! Core's own programs over a platform's cells.
//!
//! What pointers, directories and chains keep is for good, so their checks go on from what an earlier run left behind. The others
//! get a new name each time, and a time after which they are gone.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use super::{AFTER, BRIEF, Check, same, works};
use crate::cell::allowance::{self, Allowance, Hold, Reserve, Settle, Terms};
use crate::cell::concurrency::{self, Concurrency};
use crate::cell::directory::{self, Directory};
use crate::cell::lease::Lease;
use crate::cell::pointer::{self, Change, Pointer};
use crate::cell::window::Window;
use crate::cell::{Program, chain, command, object};
use crate::ports::{CellStore, Clock, Entropy};

async fn send<P: Program>(cells: &dyn CellStore, name: &str, what: &P::Command) -> Result<P::Reply, String> {
    works("a command", command::<P>(cells, name, what).await)
}

async fn current(cells: &dyn CellStore, name: &str) -> Result<pointer::Version, String> {
    match send::<Pointer>(cells, name, &pointer::Command::Current).await? {
        pointer::Reply::Current(Some(version)) => Ok(version),
        pointer::Reply::Current(None) => Ok(pointer::Version::default()),
        other => Err(format!("the current version: saw {other:?}")),
    }
}

/// Of ten writers that saw the same version one wins and the others are told so; a change sent again happens once;
/// what is rolled back to comes back as a new version.
pub async fn cell_pointer_one_winner(cells: &dyn CellStore, entropy: &dyn Entropy) -> Check {
    let name = "edgeway-suite/pointer";
    let before = current(cells, name).await?.number;
    let change = |expected| Change { id: entropy.u64(), expected, by: "edgeway-suite".into(), note: String::new() };
    let set = |writer: u8| pointer::Command::Set { change: change(before), value: Bytes::from(vec![writer]) };
    let commands: Vec<_> = (0..10).map(set).collect();
    let replies = join_all(commands.iter().map(|command| send::<Pointer>(cells, name, command))).await;
    let (mut won, mut told) = (Vec::new(), Vec::new());
    for (command, reply) in commands.iter().zip(replies) {
        match reply? {
            pointer::Reply::Changed(made) => won.push((command, made)),
            pointer::Reply::Conflict(Some(current)) => told.push(current),
            other => return Err(format!("a writer was answered {other:?}")),
        }
    }
    let [(command, winner)] = &won[..] else { return Err(format!("ten writers of one version: {} won", won.len())) };
    same("the version of the winner", winner.number, before + 1)?;
    same("whether the losers were told of the winner", told.iter().all(|version| version == winner), true)?;
    same(
        "the winner's change sent again",
        send::<Pointer>(cells, name, command).await?,
        pointer::Reply::Changed(winner.clone()),
    )?;
    same("the current version", &current(cells, name).await?, winner)?;
    let next = pointer::Command::Set { change: change(winner.number), value: Bytes::from_static(b"next") };
    send::<Pointer>(cells, name, &next).await?;
    let back = pointer::Command::Rollback { change: change(before + 2), to: winner.number };
    send::<Pointer>(cells, name, &back).await?;
    let last = current(cells, name).await?;
    same("the version after a rollback", (last.number, last.value), (before + 3, winner.value.clone()))
}

const TEN: Terms = Terms { limit: 10, window: Window::Sliding(Duration::from_secs(3600)) };
const WHILE: Duration = Duration::from_secs(600);

fn fresh(entropy: &dyn Entropy) -> String {
    format!("edgeway-suite/allowance/{:016x}", entropy.u64())
}

async fn ask(cells: &dyn CellStore, name: &str, command: allowance::Command) -> Result<allowance::Reply, String> {
    send::<Allowance>(cells, name, &command).await
}

fn reserve(id: u64, amount: u64, ttl: Duration) -> allowance::Command {
    allowance::Command::Reserve(Reserve { terms: TEN, id, amount, least: amount, ttl, hold: Hold::Now, after: None })
}

/// What is charged, and how many reservations are open.
async fn standing(cells: &dyn CellStore, name: &str) -> Result<(u64, u32), String> {
    match ask(cells, name, allowance::Command::Look(TEN)).await? {
        allowance::Reply::Standing { charged, open, .. } => Ok((charged, open)),
        other => Err(format!("how an allowance stands: saw {other:?}")),
    }
}

/// Of thirty reservations at once as many are granted as fit, and what is given back can be had again.
pub async fn cell_allowance_never_exceeds(cells: &dyn CellStore, entropy: &dyn Entropy) -> Check {
    let name = fresh(entropy);
    for round in 0..2 {
        let ids = (1..=30).map(|id| round * 100 + id);
        let replies = join_all(ids.clone().map(|id| ask(cells, &name, reserve(id, 1, WHILE)))).await;
        let (mut granted, mut refused) = (Vec::new(), 0);
        for (id, reply) in ids.zip(replies) {
            match reply? {
                allowance::Reply::Granted { amount: 1, .. } => granted.push(id),
                allowance::Reply::Refused { remaining: 0, retry_after: Some(_), .. } => refused += 1,
                other => return Err(format!("a reservation was answered {other:?}")),
            }
        }
        same("reservations granted and refused, of 30 for 10", (granted.len(), refused), (10, 20))?;
        same("what is charged and open then", standing(cells, &name).await?, (10, 10))?;
        let again = ask(cells, &name, reserve(granted[0], 1, WHILE)).await?;
        same("whether one asked for again is the same one", matches!(again, allowance::Reply::Granted { amount: 1, .. }), true)?;
        let back = |id: &u64| ask(cells, &name, allowance::Command::Settle(Settle { id: *id, actual: 0 }));
        for reply in join_all(granted.iter().map(back)).await {
            let settled = matches!(reply?, allowance::Reply::Settled { .. });
            same("whether what is given back is settled", settled, true)?;
        }
        same("what is charged and open when all is given back", standing(cells, &name).await?, (0, 0))?;
    }
    Ok(())
}

/// Of five settlements of one reservation at once, one counts.
pub async fn cell_settles_once(cells: &dyn CellStore, entropy: &dyn Entropy) -> Check {
    let name = fresh(entropy);
    ask(cells, &name, reserve(1, 10, WHILE)).await?;
    let settle = || ask(cells, &name, allowance::Command::Settle(Settle { id: 1, actual: 3 }));
    let mut settled = 0;
    for reply in join_all((0..5).map(|_| settle())).await {
        match reply? {
            allowance::Reply::Settled { .. } => settled += 1,
            allowance::Reply::Gone => {}
            other => return Err(format!("a settlement was answered {other:?}")),
        }
    }
    same("settlements that counted, of five", settled, 1)?;
    same("what is charged and open then", standing(cells, &name).await?, (3, 0))
}

/// A reservation that nobody settles stays charged, and a late settlement changes nothing.
pub async fn cell_reservation_expires_as_charged(cells: &dyn CellStore, clock: &dyn Clock, entropy: &dyn Entropy) -> Check {
    let name = fresh(entropy);
    ask(cells, &name, reserve(1, 7, BRIEF)).await?;
    same("what is charged and open before the expiry", standing(cells, &name).await?, (7, 1))?;
    clock.sleep(AFTER).await;
    expired_as_charged(cells, &name).await
}

async fn expired_as_charged(cells: &dyn CellStore, name: &str) -> Check {
    same("what is charged and open after the expiry", standing(cells, name).await?, (7, 0))?;
    let late = ask(cells, name, allowance::Command::Settle(Settle { id: 1, actual: 0 })).await?;
    same("the reply to a late settlement", late, allowance::Reply::Gone)?;
    same("what is charged and open after it", standing(cells, name).await?, (7, 0))
}

/// Three leases drawn on at once spend all of their allowance and no more.
pub async fn cell_leases_never_exceed(cells: &dyn CellStore, clock: &dyn Clock, entropy: &dyn Entropy) -> Check {
    let name = fresh(entropy);
    let terms = Terms { limit: 50, ..TEN };
    let spend = || async {
        let (mut lease, mut spent) = (Lease::new(terms, 8, WHILE), 0);
        loop {
            if let Some(ticket) = lease.take(1, clock.now()) {
                lease.settle(ticket, 1);
                spent += 1;
                continue;
            }
            let Some(command) = lease.next(1, entropy.u64(), clock.now()) else { return Ok::<u64, String>(spent) };
            let reply = ask(cells, &name, command).await?;
            lease.answered(&reply, clock.now());
        }
    };
    let mut all = Vec::new();
    for spent in join_all((0..3).map(|_| spend())).await {
        all.push(spent?);
    }
    same("what three leases on 50 spent together", all.iter().sum(), 50)
}

/// Of ten who want one of three slots at once three get it; a slot given back, and one whose holder died, is free.
pub async fn cell_concurrency_never_exceeds(cells: &dyn CellStore, clock: &dyn Clock, entropy: &dyn Entropy) -> Check {
    let name = fresh(entropy);
    let send = |command: concurrency::Command| {
        let name = &name;
        async move { send::<Concurrency>(cells, name, &command).await }
    };
    let acquire = |id, ttl| send(concurrency::Command::Acquire { id, limit: 3, ttl, patience: Duration::ZERO });
    let mut held = Vec::new();
    for (id, reply) in (1..=10).zip(join_all((1..=10).map(|id| acquire(id, WHILE))).await) {
        match reply? {
            concurrency::Reply::Held { .. } => held.push(id),
            concurrency::Reply::Refused { retry_after: Some(_), .. } => {}
            other => return Err(format!("an acquisition was answered {other:?}")),
        }
    }
    same("slots held, of three", held.len(), 3)?;
    same(
        "the reply to a slot given back",
        send(concurrency::Command::Release { id: held[0] }).await?,
        concurrency::Reply::Released,
    )?;
    let brief = acquire(11, BRIEF).await?;
    same("whether it can be had again", matches!(brief, concurrency::Reply::Held { .. }), true)?;
    clock.sleep(AFTER).await;
    let after = acquire(12, WHILE).await?;
    same("whether the slot of a holder that died is free", matches!(after, concurrency::Reply::Held { .. }), true)?;
    let last = acquire(13, WHILE).await?;
    same("whether a fourth is refused", matches!(last, concurrency::Reply::Refused { .. }), true)?;
    for id in [held[1], held[2], 12] {
        send(concurrency::Command::Release { id }).await?;
    }
    Ok(())
}

const LEFT: &str = "edgeway-suite/left";

/// The first half of a kill test: reserves, notes where, and leaves. See [`cell_left_reservation_is_charged`].
pub async fn cell_reserve_and_leave(cells: &dyn CellStore, entropy: &dyn Entropy) -> Check {
    let name = fresh(entropy);
    let change = Change {
        id: entropy.u64(),
        expected: current(cells, LEFT).await?.number,
        by: "edgeway-suite".into(),
        note: String::new(),
    };
    let value = Bytes::from(name.clone());
    match send::<Pointer>(cells, LEFT, &pointer::Command::Set { change, value }).await? {
        pointer::Reply::Changed(_) => {}
        other => return Err(format!("noting where: saw {other:?}")),
    }
    let reply = ask(cells, &name, reserve(1, 7, BRIEF)).await?;
    same("the reservation", matches!(reply, allowance::Reply::Granted { amount: 7, .. }), true)
}

/// The second half, in another process: what [`cell_reserve_and_leave`] reserved is charged once, though whoever
/// reserved it was killed.
pub async fn cell_left_reservation_is_charged(cells: &dyn CellStore, clock: &dyn Clock) -> Check {
    let left = current(cells, LEFT).await?.value;
    same("whether anything was left", left.is_empty(), false)?;
    clock.sleep(AFTER).await;
    expired_as_charged(cells, &String::from_utf8_lossy(&left)).await
}

/// Of ten writers who saw the same version of an object one wins and the others are told so; of ten who make the same
/// object one does; what is made again after a removal goes on with the versions.
pub async fn cell_object_one_winner(cells: &dyn CellStore, entropy: &dyn Entropy) -> Check {
    let name = format!("edgeway-suite/object/{:016x}", entropy.u64());
    let put = |expected, writer: u8| object::Command::Put {
        id: entropy.u64(),
        expected,
        value: Bytes::from(vec![writer; 1000]),
        ttl: Some(WHILE),
    };
    for (expected, next) in [(object::Expected::Absent, 1), (object::Expected::Version(1), 2)] {
        let commands: Vec<_> = (0..10).map(|writer| put(expected, writer)).collect();
        let replies = join_all(commands.iter().map(|command| send::<object::Object>(cells, &name, command))).await;
        let (mut won, mut told) = (Vec::new(), Vec::new());
        for (command, reply) in commands.iter().zip(replies) {
            match reply? {
                object::Reply::Changed(number) => won.push((command, number)),
                object::Reply::Conflict(current) => told.push(current),
                other => return Err(format!("a writer was answered {other:?}")),
            }
        }
        let [(command, number)] = won[..] else { return Err(format!("ten writers of one version: {} won", won.len())) };
        same("the version of the winner", number, next)?;
        let again = send::<object::Object>(cells, &name, command).await?;
        same("the winner's change sent again", again, object::Reply::Changed(next))?;
        let object::Reply::Value(current) = send::<object::Object>(cells, &name, &object::Command::Get).await? else {
            return Err("a question was answered with something else".into());
        };
        same("whether the losers were told of the winner", told.iter().all(|version| *version == current), true)?;
        same("the version that is read", current.map(|version| version.number), Some(next))?;
    }
    let remove = object::Command::Remove { id: entropy.u64(), expected: object::Expected::Version(2) };
    let removed = send::<object::Object>(cells, &name, &remove).await?;
    same("the reply to a removal", removed, object::Reply::Changed(3))?;
    let gone = send::<object::Object>(cells, &name, &object::Command::Get).await?;
    same("what is read after a removal", gone, object::Reply::Value(None))?;
    let again = send::<object::Object>(cells, &name, &put(object::Expected::Absent, 0)).await?;
    same("the version of what is made again", again, object::Reply::Changed(4))
}

/// Names that are added at once are all listed, in order and in pages; a young one is not removed.
pub async fn cell_directory_lists_all(cells: &dyn CellStore) -> Check {
    let send = |command: directory::Command| async move { send::<Directory>(cells, "edgeway-suite/directory", &command).await };
    let names: Vec<String> = (0..20).map(|number| format!("name-{number:02}")).collect();
    for reply in join_all(names.iter().map(|name| send(directory::Command::Add { name: name.clone() }))).await {
        same("the reply to a name", reply?, directory::Reply::Kept)?;
    }
    let young = send(directory::Command::Remove { name: names[0].clone(), age: WHILE }).await?;
    same("the reply to the removal of a young name", young, directory::Reply::Kept)?;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        match send(directory::Command::List { after, limit: 7 }).await? {
            directory::Reply::Names(page) if page.is_empty() => break,
            directory::Reply::Names(page) => {
                after = page.last().cloned();
                seen.extend(page);
            }
            other => return Err(format!("a list was answered {other:?}")),
        }
    }
    same("the names", seen, names)
}

/// Twenty entries appended to a chain at once are all there, one behind the other; one sent again is there once.
pub async fn cell_chain_has_no_gaps(cells: &dyn CellStore, entropy: &dyn Entropy) -> Check {
    let send = |command: chain::Command| async move { send::<chain::Chain>(cells, "edgeway-suite/chain", &command).await };
    // What an earlier run left waiting is taken as stored.
    let chain::Reply::End(before) = send(chain::Command::Stored { up_to: u64::MAX }).await? else {
        return Err("a chain's end was answered with something else".into());
    };
    let commands: Vec<_> =
        (0..20_u8).map(|entry| chain::Command::Append { id: entropy.u64(), entry: Bytes::from(vec![entry; 100]) }).collect();
    let mut links = Vec::new();
    for reply in join_all(commands.iter().map(|command| send(command.clone()))).await {
        match reply? {
            chain::Reply::Appended { link, .. } => links.push(link),
            other => return Err(format!("an entry was answered {other:?}")),
        }
    }
    match send(commands[7].clone()).await? {
        chain::Reply::Appended { link, .. } => same("an entry sent again", &link, &links[7])?,
        other => return Err(format!("an entry sent again was answered {other:?}")),
    }
    links.sort_by_key(|link| link.number);
    let chain::Reply::End(end) = send(chain::Command::Look).await? else {
        return Err("a chain's end was answered with something else".into());
    };
    same("the entries that wait to be stored", end.waiting.len(), 20)?;
    let (mut number, mut previous) = (before.number, before.hash);
    for (made, waiting) in links.iter().zip(&end.waiting) {
        number += 1;
        let hash = chain::link(&previous, number, waiting.at, &waiting.entry);
        same("an entry's place in the chain", (waiting.number, waiting.previous, waiting.hash), (number, previous, hash))?;
        same("what its author was told", (made.number, made.hash), (number, hash))?;
        previous = hash;
    }
    same("the chain's end", (end.number, end.hash), (number, previous))
}
