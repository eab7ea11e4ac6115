//! All rounds: a sweep each, disturbed until it is done, then compared.

use std::cell::LazyCell;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use crate::arena::{Arena, BOUND, Kind, Limit, Shape};
use crate::dice::{Dice, Life, Pace};
use crate::kept::Kept;
use crate::options::Options;
use crate::strike::{Came, live};
use crate::tally::{Tally, Whose};
use crate::{check, walk};

/// Lives of controllers in a round, at most, before it is left in peace.
const LIVES: usize = 30;

/// What all rounds share.
struct Chaos<'a> {
    options: &'a Options,
    begun: Instant,
    state: Mutex<(Tally, Vec<String>)>,
}

const FAST: Shape = Shape { kind: Kind::Fake, trials: 24, epochs: 20, jobs: 4, limit: Limit::None };
/// Attempts that take longer and may not take too long: every tenth sweep of fast workers.
const SLOW: Shape =
    Shape { kind: Kind::Fake, trials: 8, epochs: 200, jobs: 4, limit: Limit::Time("1500ms") };
/// Attempts that may take long and may not be silent: every fifth sweep.
const SILENT: Shape =
    Shape { kind: Kind::Fake, trials: 8, epochs: 200, jobs: 4, limit: Limit::Silence("500ms") };
const TRAINING: Shape =
    Shape { kind: Kind::Real, trials: 6, epochs: 8, jobs: 3, limit: Limit::None };

/// Runs all rounds; a broken promise is an exit code of 1.
pub(crate) fn all(options: &Options) -> ExitCode {
    let chaos = Chaos { options, begun: Instant::now(), state: Mutex::default() };
    println!(
        "chaos: {} kills, {} of training workers, seed {}",
        options.kills, options.real, options.seed
    );
    std::thread::scope(|scope| {
        if options.real > 0 {
            scope.spawn(|| chaos.rounds(TRAINING));
        }
        chaos.rounds(FAST);
    });
    let (tally, broken) = chaos.state.into_inner().unwrap();
    let text = summary(options, &tally, &broken, chaos.begun);
    println!("{text}");
    if let Some(path) = &options.log {
        std::fs::write(path, &text).unwrap();
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Chaos<'_> {
    fn rounds(&self, shape: Shape) {
        let worker = self.options.worker.as_deref();
        let usual = undisturbed(shape, worker);
        let slow = LazyCell::new(|| undisturbed(SLOW, worker));
        let silent = LazyCell::new(|| undisturbed(SILENT, worker));
        for round in 0.. {
            if self.is_over(shape.kind) {
                return;
            }
            match (shape.kind, round % 10) {
                (Kind::Fake, 1) => self.round(Arena::new(SLOW, worker), round, &slow),
                (Kind::Fake, 2 | 4) => self.round(Arena::new(SILENT, worker), round, &silent),
                (Kind::Fake | Kind::Real, _) => {
                    self.round(Arena::new(shape, worker), round, &usual);
                }
            }
        }
    }

    fn is_over(&self, kind: Kind) -> bool {
        let (tally, broken) = &*self.state.lock().unwrap();
        let real = tally.kills_of(Whose::Worker(Kind::Real));
        !broken.is_empty()
            || match kind {
                Kind::Fake => tally.kills() >= self.options.kills,
                Kind::Real => real >= self.options.real,
            }
    }

    /// One sweep: the first round of a kind walks through all points, the others are drawn.
    fn round(&self, mut arena: Arena, round: u64, undisturbed: &Kept) {
        let kind = arena.shape.kind;
        let mut tally = Tally::default();
        let disturbed = if round == 0 {
            walk::all_points(arena.shape, &arena, &mut tally)
        } else {
            self.disturb(&mut arena, round, &mut tally)
        };
        let finished = disturbed.and_then(|()| finish(&arena));
        let mut broken: Vec<String> = finished.err().into_iter().collect();
        if broken.is_empty() {
            let kept = Kept::of(&arena.state());
            broken = check::broken(&arena, &kept, undisturbed);
            tally.trials = kept.trials.len() as u64;
            for attempt in kept.trials.iter().flat_map(|trial| &trial.attempts) {
                tally.attempt(attempt.reason.as_ref().or(attempt.outcome.as_ref()));
            }
        }
        tally.sweeps = 1;
        let (all, violations) = &mut *self.state.lock().unwrap();
        all.add(&tally);
        let seconds = self.begun.elapsed().as_secs();
        println!(
            "{seconds:>5} s  {kind:?} sweep {round}: {} kills, {} so far, {} of training workers",
            tally.kills(),
            all.kills(),
            all.kills_of(Whose::Worker(Kind::Real)),
        );
        if !broken.is_empty() {
            let seed = self.options.seed;
            let folder = arena.keep();
            let at = format!("seed {seed}, {kind:?} sweep {round}, kept in {}", folder.display());
            violations.extend(broken.into_iter().map(|text| format!("{at}: {text}")));
        }
    }

    fn disturb(&self, arena: &mut Arena, round: u64, tally: &mut Tally) -> Result<(), String> {
        let of_kind = match arena.shape.kind {
            Kind::Fake => 0,
            Kind::Real => 1 << 32,
        };
        let mut dice = Dice::new(self.options.seed, of_kind + round);
        let deadline = arena.shape.limit != Limit::None;
        let pace = match arena.shape.kind {
            Kind::Fake => Pace { between: 40, evils: 12, deadline },
            Kind::Real => Pace { between: 400, evils: 16, deadline },
        };
        for _ in 0..LIVES {
            let life = Life::draw(&mut dice, pace);
            match live(arena, &life, &mut dice, tally)? {
                Came::ToItsEnd => break,
                Came::ToDeath => {}
            }
        }
        Ok(())
    }
}

/// Runs what is left in peace, and once more, when nothing is left.
fn finish(arena: &Arena) -> Result<(), String> {
    for _ in 0..2 {
        let status = arena.start(&[], 0).wait(BOUND).ok_or("the last controller hangs")?;
        if status.code() != Some(0) {
            return Err(format!("the last controller ended with {status}"));
        }
    }
    Ok(())
}

fn undisturbed(shape: Shape, worker: Option<&Path>) -> Kept {
    let arena = Arena::new(shape, worker);
    finish(&arena).expect("what nobody disturbs comes to its end");
    Kept::of(&arena.state())
}

fn summary(options: &Options, tally: &Tally, broken: &[String], begun: Instant) -> String {
    let mut text = format!(
        "make chaos KILLS={} SEED={}\n\n{} kills in {} sweeps of {} trials, {:.0} s\n\n",
        options.kills,
        options.seed,
        tally.kills(),
        tally.sweeps,
        tally.trials,
        begun.elapsed().as_secs_f64(),
    );
    text += &tally.text();
    let _ = writeln!(text, "\nbroken promises: {}", broken.len());
    for line in broken {
        let _ = writeln!(text, "  {line}");
    }
    text
}
