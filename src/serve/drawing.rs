//! Reports as the page shows them, drawn anew after trials ended.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use tokio::runtime::Handle;

use super::error::Refusal;
use super::house::{House, aside};
use super::latest::Work;
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
    /// Another one where the rows are others, or the program that draws them: nothing else decides
    /// what is drawn, so browsers may keep a figure that they asked for by it.
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
    pub(super) fn of(mut report: Result<Report, String>) -> Self {
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

/// A drawing and what it was drawn from.
pub(super) struct Drawn {
    drawing: Arc<Drawing>,
    roster: Arc<Roster>,
    exhibits: Exhibits,
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

/// A sweep's drawing, of its trials as they are now.
#[derive(Clone)]
pub(super) struct Draw {
    house: House,
    roster: Arc<Roster>,
}

impl Work for Draw {
    type Out = Drawn;

    async fn work_out(self, before: Option<Arc<Drawn>>) -> Result<Drawn, Refusal> {
        let Self { house, roster } = self;
        let roster = house.roster(&roster.sweep.name).await?;
        let known = before.map(|before| before.exhibits.clone()).filter(Exhibits::are_whole);
        let (store, sweep, handle) = (house.store.clone(), roster.sweep.clone(), Handle::current());
        // What trials left is read from files, which no loop may wait for.
        let drawn = aside(move || handle.block_on(report_of(&store, sweep, known))).await?;
        let (drawing, exhibits) = drawn?;
        Ok(Drawn { drawing: Arc::new(drawing), roster, exhibits })
    }

    fn is_old(&self, known: &Drawn) -> bool {
        !known.roster.ended_like(&self.roster)
    }

    fn is_news(_before: &Drawn, _now: &Drawn) -> bool {
        true
    }

    fn tell(&self) {
        self.house.pulse.tell();
    }
}

/// Returns a sweep's report: the one there is, even if trials ended since. Then it is drawn anew
/// without anybody waiting for it, and all who watch are told.
pub(super) async fn of(house: &House, name: &str) -> Result<Arc<Drawing>, Refusal> {
    let draw = Draw { house: house.clone(), roster: house.roster(name).await? };
    let drawn = house.drawings.of(name, draw).await?;
    Ok(Arc::clone(&drawn.drawing))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Gathered;

    const ROWS: &str = include_str!("../../tests/fixtures/report/small-batch/rows.jsonl");

    fn drawing(rows: &str) -> Drawing {
        Drawing::of(Ok(report::build(&Gathered::from_jsonl(rows).unwrap()).unwrap()))
    }

    #[test]
    fn the_edition_of_a_drawing_is_that_of_its_rows() {
        let altered = ROWS.replacen("\"linear_top1\":0.22", "\"linear_top1\":0.42", 1);
        assert_ne!(ROWS, altered);
        let [one, same, other] = [ROWS, ROWS, &altered].map(drawing);
        assert_eq!(one.edition, same.edition);
        assert_ne!(one.edition, other.edition);
        let file = &one.report.as_ref().unwrap().figures[0].heading().file;
        let svg = |drawing: &Drawing| drawing.figure(file, Width::Full).unwrap().unwrap();
        assert_eq!(svg(&one), svg(&same));
        assert_ne!(svg(&one), svg(&other));
        let nothing = |why: &str| Drawing::of(Err(why.to_owned())).edition;
        assert_ne!(nothing("no result yet"), nothing("no such metric"));
    }
}
