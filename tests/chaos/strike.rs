//! Lives one controller's life and does to it what was drawn.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::arena::{Arena, Controller, Kind, Limit};
use crate::dice::{Death, Dice, Evil, Life};
use crate::power;
use crate::processes::{self, Worker, send};
use crate::tally::{Tally, Whose};

/// How a life came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// Nothing is left to do.
    ToItsEnd,
    /// It died before.
    ToDeath,
}

/// Lives a life.
///
/// # Errors
///
/// A promise was broken.
pub(crate) fn live(
    arena: &mut Arena,
    life: &Life,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<Came, String> {
    if life.hours != 0 {
        tally.evil("wrong clock", 1);
    }
    let mut controller = arena.start(&life.points, life.hours);
    // Most evils are meant for its work, some for its start.
    if dice.chance(80) {
        wait_for_the_lock(arena, &mut controller)?;
    }
    for (wait, evil) in &life.evils {
        controller.wait(Duration::from_millis(*wait));
        if controller.ended().is_some() {
            break;
        }
        strike(arena, &mut controller, *evil, dice, tally)?;
    }
    let (wait, death) = life.death;
    controller.wait(Duration::from_millis(wait));
    let came = end(arena, &mut controller, death, dice, tally)?;
    for point in arena.marks() {
        tally.point(point, arena.shape.kind);
    }
    arena.clear_marks();
    Ok(came)
}

/// Waits until the controller is at work.
fn wait_for_the_lock(arena: &Arena, controller: &mut Controller) -> Result<(), String> {
    while controller.ended().is_none() && !arena.is_locked_by(controller.pid()) {
        let state = arena.state();
        let started =
            processes::workers(&state).iter().any(|w| w.parent() == Some(controller.pid()));
        if started && !arena.is_locked_by(controller.pid()) && processes::is_alive(controller.pid())
        {
            return Err("a controller works without the lock on its state folder".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn strike(
    arena: &Arena,
    controller: &mut Controller,
    evil: Evil,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<(), String> {
    let workers = processes::workers(&arena.state());
    one_worker_a_trial(&workers)?;
    let whose = Whose::Worker(arena.shape.kind);
    match evil {
        Evil::KillWorker => {
            let pids: Vec<i32> = workers.iter().map(|worker| worker.pid).collect();
            if dice.one_of(&pids).is_some_and(|pid| send(pid, Signal::SIGKILL)) {
                tally.kill(whose, "alone");
            }
        }
        Evil::KillWorkers => {
            for worker in workers {
                if send(worker.pid, Signal::SIGKILL) {
                    tally.kill(whose, "all at once");
                }
            }
        }
        Evil::FreezeController(ms) => {
            if send(controller.pid(), Signal::SIGSTOP) {
                tally.evil("frozen controller", 1);
                std::thread::sleep(Duration::from_millis(ms));
                send(controller.pid(), Signal::SIGCONT);
            }
        }
        Evil::FreezeWorker => {
            // One without a new checkpoint made no progress, and has failed for good at its
            // deadline: that is what the deadline is for. One that is silent is always followed.
            let may = |worker: &&Worker| match arena.shape.limit {
                Limit::None | Limit::Time(_) => has_progress(worker),
                Limit::Silence(_) => true,
            };
            let ready: Vec<i32> = workers.iter().filter(may).map(|worker| worker.pid).collect();
            if dice.one_of(&ready).is_some_and(|pid| send(pid, Signal::SIGSTOP)) {
                let what = match arena.shape.limit {
                    Limit::None | Limit::Time(_) => "frozen worker",
                    Limit::Silence(_) => "silenced worker",
                };
                tally.evil(what, 1);
            }
        }
        Evil::SecondController => second(arena, controller, tally)?,
    }
    Ok(())
}

fn has_progress(worker: &Worker) -> bool {
    let events = fs::read_to_string(worker.attempt.join("events.jsonl")).unwrap_or_default();
    events.matches("\"checkpointed\"").count() > 1
}

/// Two workers of a trial may wait for each other, but one alone has claimed its attempt.
fn one_worker_a_trial(workers: &[Worker]) -> Result<(), String> {
    let mut trials: HashSet<PathBuf> = HashSet::new();
    for worker in workers.iter().filter(|worker| worker.has_claimed()) {
        if !trials.insert(worker.trial().to_owned()) {
            // A kill may be under way: look again.
            std::thread::sleep(Duration::from_millis(50));
            let of_trial = |other: &&Worker| other.trial() == worker.trial();
            let left = workers.iter().filter(of_trial).filter(|w| processes::is_alive(w.pid));
            if left.clone().count() > 1 {
                return Err(format!("two workers at a time: {:?}", left.collect::<Vec<_>>()));
            }
        }
    }
    Ok(())
}

/// Starts a second controller while the first one holds the lock and cannot let it go.
fn second(arena: &Arena, controller: &mut Controller, tally: &mut Tally) -> Result<(), String> {
    send(controller.pid(), Signal::SIGSTOP);
    // A signal takes a moment.
    let begun = Instant::now();
    while processes::state(controller.pid()) != Some('T') && begun.elapsed().as_secs() < 1 {
        std::thread::yield_now();
    }
    let refused = if arena.is_locked_by(controller.pid()) && processes::is_alive(controller.pid()) {
        let mut command = arena.command(&["run", "sweep.toml"]);
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        tally.evil("second controller refused", 1);
        let names_it = said.contains(&format!("process {}", controller.pid()));
        (output.status.code() == Some(1) && names_it).then_some(()).ok_or_else(|| {
            format!("a second controller was not refused: {:?}, {said}", output.status)
        })
    } else {
        Ok(())
    };
    send(controller.pid(), Signal::SIGCONT);
    refused
}

fn end(
    arena: &mut Arena,
    controller: &mut Controller,
    death: Death,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<Came, String> {
    if let Some(status) = controller.ended()
        && let Some(code) = status.code()
    {
        return match code {
            0 => Ok(Came::ToItsEnd),
            code => Err(format!("a controller ended with code {code}")),
        };
    }
    let state = arena.state();
    let folder = arena.path().canonicalize().unwrap();
    let kill_workers = |tally: &mut Tally, how| {
        let mut last = Vec::new();
        for _ in 0..50 {
            for pid in processes::started_in(&folder) {
                if !last.contains(&pid) && send(pid, Signal::SIGKILL) {
                    tally.kill(Whose::Worker(arena.shape.kind), how);
                    last.push(pid);
                }
            }
            if processes::started_in(&folder).is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    match death {
        Death::Killed => {
            if controller.kill() {
                tally.kill(Whose::Controller, "alone");
            }
        }
        Death::WithAllWorkers => {
            if controller.kill() {
                tally.kill(Whose::Controller, "with all its workers");
            }
            kill_workers(tally, "with the controller");
        }
        Death::PowerCut => {
            if controller.kill() {
                tally.kill(Whose::Controller, "power cut");
            }
            kill_workers(tally, "power cut");
            tally.evil("torn event files", power::lose_what_was_not_synced(&state, dice));
            tally.evil("reboot", 1);
            arena.reboot();
        }
        Death::Asked => {
            send(controller.pid(), Signal::SIGTERM);
            tally.evil("asked to stop", 1);
            let patience = match arena.shape.kind {
                Kind::Fake => dice.below(400),
                Kind::Real => dice.below(2_000),
            };
            controller.wait(Duration::from_millis(patience));
            if controller.kill() {
                tally.kill(Whose::Controller, "while it stops");
            }
        }
    }
    Ok(Came::ToDeath)
}
