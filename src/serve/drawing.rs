//! Reports as the page shows them: drawn when somebody looks first, and drawn anew after trials
//! ended, beside those who look and no more often than a tenth of the time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::error::Refusal;
use super::house::{House, aside};
use super::roster::Roster;
use crate::report::chart::{self, Columns};
use crate::report::exhibits::ExhibitRow;
use crate::report::exhibits::choice::Wanted;
use crate::report::{self, Figure, Report};
use crate::store::rows::SweepRow;
use crate::store::{Store, StoreError};

/// A report, or why there is none yet.
pub(super) struct Drawing {
    pub(super) report: Result<Report, String>,
    /// Another one where the rows are others, or the program that draws them.
    pub(super) edition: String,
    /// Its figures as far as they were asked for.
    figures: std::sync::Mutex<HashMap<(String, Width), Arc<str>>>,
}

/// How much room a figure has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Width {
    Narrow,
    Full,
}

impl Drawing {
    fn of(mut report: Result<Report, String>) -> Self {
        // The rows tell one from another, and are let go: of a large sweep they are most of it.
        let rows = match &mut report {
            Ok(report) => std::mem::take(&mut report.rows),
            Err(why) => why.clone(),
        };
        let told = [env!("CARGO_PKG_VERSION"), env!("BYOL_SWEEP_COMMIT"), &rows].join("\n");
        let edition = blake3::hash(told.as_bytes()).to_hex()[..16].to_owned();
        Self { report, edition, figures: std::sync::Mutex::default() }
    }

    /// Returns a figure as SVG; `None` where there is none of that name. Computes for long.
    pub(super) fn figure(&self, file: &str, width: Width) -> Option<Result<Arc<str>, Refusal>> {
        let report = self.report.as_ref().ok()?;
        let is_it = |figure: &&Figure| figure.heading().file == file;
        let figure = report.figures.iter().find(is_it)?;
        let name = (file.to_owned(), width);
        let figures = || self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(drawn) = figures().get(&name) {
            return Some(Ok(Arc::clone(drawn)));
        }
        let columns = match width {
            Width::Narrow => Columns::One,
            Width::Full => Columns::Two,
        };
        Some(match chart::svg(figure, columns) {
            Ok(svg) => {
                let svg: Arc<str> = svg.into();
                figures().insert(name, Arc::clone(&svg));
                Ok(svg)
            }
            Err(error) => Err(Refusal::internal(&error)),
        })
    }
}

/// A drawing, what it was drawn from, and when it may be drawn anew.
struct Kept {
    drawing: Arc<Drawing>,
    roster: Arc<Roster>,
    exhibits: Exhibits,
    due: Instant,
    next: Next,
}

/// Whether a drawing is about to be drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Anew,
}

/// What the chosen trials show; reading it and laying it out is most of what a drawing costs.
#[derive(Clone)]
struct Exhibits {
    wanted: Wanted,
    rows: Vec<ExhibitRow>,
}

impl Exhibits {
    /// Returns whether nothing more can be found: what a trial left stays as it is.
    fn are_whole(&self) -> bool {
        !self.rows.iter().any(|row| matches!(row, ExhibitRow::Nothing { .. }))
    }
}

type Slot = Arc<Mutex<Option<Kept>>>;

/// The drawings, by their sweeps.
#[derive(Default)]
pub(super) struct Drawings(std::sync::Mutex<HashMap<String, Slot>>);

impl Drawings {
    fn slot(&self, name: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(name.to_owned()).or_default())
    }
}

/// Returns a sweep's report: the one there is, even if trials ended since. Then it is drawn anew
/// without anybody waiting for it, and all who watch are told.
pub(super) async fn of(house: &House, name: &str) -> Result<Arc<Drawing>, Refusal> {
    let roster = house.roster(name).await?;
    let slot = house.drawings.slot(name);
    // Held while the first one is drawn, so that many who ask at once have it drawn once.
    let mut kept = Arc::clone(&slot).lock_owned().await;
    let Some(known) = kept.as_mut() else {
        return first(house, roster, kept).await;
    };
    if known.next == Next::Nothing && !known.roster.ended_like(&roster) {
        known.next = Next::Anew;
        tokio::spawn(anew(house.clone(), name.to_owned(), Arc::clone(&slot), known.due));
    }
    Ok(Arc::clone(&known.drawing))
}

/// Draws a sweep's report. Whoever asked may leave meanwhile, and ask again: it is drawn once.
async fn first(
    house: &House,
    roster: Arc<Roster>,
    mut kept: OwnedMutexGuard<Option<Kept>>,
) -> Result<Arc<Drawing>, Refusal> {
    let house = house.clone();
    let drawing = tokio::spawn(async move {
        let first = draw(&house, roster, None).await?;
        Ok(Arc::clone(&kept.insert(first).drawing))
    });
    drawing.await.map_err(|error| Refusal::internal(&error))?
}

/// Draws a sweep's report anew as soon as it may be.
async fn anew(house: House, name: String, slot: Slot, due: Instant) {
    tokio::time::sleep_until(due).await;
    let exhibits = slot.lock().await.as_ref().map(|known| known.exhibits.clone());
    let drawn = match house.roster(&name).await {
        Ok(roster) => draw(&house, roster, exhibits).await,
        Err(refusal) => Err(refusal),
    };
    // Whoever looks next is told why there is none.
    *slot.lock().await = drawn.ok();
    house.pulse.tell();
}

async fn draw(
    house: &House,
    roster: Arc<Roster>,
    known: Option<Exhibits>,
) -> Result<Kept, Refusal> {
    let begun = Instant::now();
    let known = known.filter(Exhibits::are_whole);
    let (store, sweep, handle) = (house.store.clone(), roster.sweep.clone(), Handle::current());
    // What trials left is read from files, which no loop may wait for.
    let drawn = aside(move || handle.block_on(report_of(&store, sweep, known))).await?;
    let (drawing, exhibits) = drawn?;
    let now = Instant::now();
    Ok(Kept {
        drawing: Arc::new(drawing),
        roster,
        exhibits,
        due: now + 10 * (now - begun),
        next: Next::Nothing,
    })
}

async fn report_of(
    store: &Store,
    sweep: SweepRow,
    known: Option<Exhibits>,
) -> Result<(Drawing, Exhibits), StoreError> {
    // By a connection of its own: it reads much, and other pages wait for nothing.
    let own = Store::open_read_only(store.state_dir()).await?;
    let store = own.as_ref().unwrap_or(store);
    let mut gathered = report::gather(store, sweep.clone()).await?;
    let wanted = Wanted::of(&gathered);
    let exhibits = match known.filter(|known| known.wanted == wanted) {
        Some(known) => known,
        None => {
            let rows = report::exhibits_of(store, &sweep, &gathered).await?;
            Exhibits { wanted, rows }
        }
    };
    gathered.exhibits = exhibits.rows.clone();
    let report = report::build(&gathered).map_err(|nothing| nothing.to_string());
    Ok((Drawing::of(report), exhibits))
}
