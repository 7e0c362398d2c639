//! Core's own programs over a platform's cells.
//!
//! What a program keeps may be for good, so these checks go on from what an earlier run left behind.

use bytes::Bytes;
use futures_util::future::join_all;

use super::{Check, same, works};
use crate::cell::pointer::{self, Change, Pointer};
use crate::cell::{Program, command};
use crate::ports::{CellStore, Entropy};

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
