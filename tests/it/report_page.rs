//! A report's page as a browser shows it. Left out of a plain run:
//! `BYOL_SWEEP_CHROMIUM=chromium BYOL_SWEEP_CHROMEDRIVER=chromedriver \
//! cargo test --test it -- --ignored report_page::` runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use byol_sweep::report::{self, Columns, Format, Gathered};

use crate::browser::Browser;

/// Opens a page at a trial, returning what its script made of it.
fn shown(page: &Path, trial: &str) -> String {
    let program = std::env::var_os("BYOL_SWEEP_CHROMIUM").expect("BYOL_SWEEP_CHROMIUM is not set");
    let output = Command::new(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"])
        .args(["--dump-dom", &format!("file://{}#{trial}", page.display())])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs a browser: BYOL_SWEEP_CHROMIUM"]
fn the_page_runs_its_own_script_and_no_other() {
    const INTRUDER: &str = "<script>document.title = 'another script ran'</script>\
                            <img src=x onerror=\"document.title = 'another script ran'\">";
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/report/small-batch");
    let rows = fs::read_to_string(kept.join("rows.jsonl")).unwrap();
    let mut gathered = Gathered::from_jsonl(&rows).unwrap();
    gathered.sweep.description = INTRUDER.to_owned();
    let report = report::build(&gathered).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = report::write(&report, folder.path(), &[Format::Html], Columns::Two).unwrap();
    let title = format!("<title>{}</title>", report.text.title);

    let page = shown(&written.files[0], "trial-2");
    assert!(page.contains("class=\"js\"") && page.contains(&title));
    assert_eq!(page.matches("aria-expanded=\"true\"").count(), 1, "the trial asked for is open");

    // As if a name had not been escaped: the page's policy still stops it.
    let text = fs::read_to_string(&written.files[0]).unwrap();
    fs::write(&written.files[0], text.replacen("<header>", &format!("<header>{INTRUDER}"), 1))
        .unwrap();
    let page = shown(&written.files[0], "trial-2");
    assert!(page.contains("<script>document.title"), "the intruder is on the page");
    assert!(page.contains(&title) && page.contains("class=\"js\""));
}

/// Pages that are kept, by the names of their folders.
fn kept_pages() -> Vec<PathBuf> {
    let shelf = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    let folders = fs::read_dir(shelf).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> =
        folders.map(|folder| folder.join("index.html")).filter(|page| page.is_file()).collect();
    pages.sort();
    assert!(pages.len() > 1);
    pages
}

fn open(browser: &Browser, page: &Path) {
    browser.go(&format!("file://{}", page.display()));
}

/// The number that an entry begins with: `−4.4`, `[33.7, 54.4]`, `< 0.001`.
fn number(entry: &str) -> Option<f64> {
    let text = entry.replace('−', "-");
    let text = text.trim_start_matches(['[', '<', '+', ' ']);
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | 'e')).unwrap_or(text.len());
    (1..=end).rev().find_map(|end| text[..end].parse().ok())
}

/// Entries of a column from top to bottom, and all rows in any order.
fn column(browser: &Browser, table: usize, at: usize) -> (Vec<String>, Vec<String>) {
    let script = format!(
        "const table = document.querySelectorAll('table.sortable')[{table}];
         const rows = [...table.querySelectorAll('tbody > tr:not(.sheet)')];
         return [rows.map(row => row.cells[{at}].textContent.trim()), rows.map(row => row.textContent)]"
    );
    let (entries, mut rows): (Vec<String>, Vec<String>) =
        serde_json::from_value(browser.js(&script)).unwrap();
    rows.sort();
    (entries, rows)
}

/// Entries without those that equal the one before.
fn told_apart(mut entries: Vec<String>) -> Vec<String> {
    entries.dedup();
    entries
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn a_click_on_a_header_sorts_and_another_one_reverses() {
    let browser = Browser::open();
    browser.look(1200, "light");
    let mut moved = 0;
    for page in kept_pages() {
        open(&browser, &page);
        let tables: Vec<usize> = serde_json::from_value(browser.js(
            "return [...document.querySelectorAll('table.sortable')].map(t => t.tHead.rows[0].cells.length)",
        ))
        .unwrap();
        assert!(!tables.is_empty(), "{}", page.display());
        for (table, columns) in tables.into_iter().enumerate() {
            browser.js(&format!(
                "document.querySelectorAll('table.sortable')[{table}].id = 'sorted{table}'"
            ));
            for at in 0..columns {
                let place = format!("{}, table {table}, column {at}", page.display());
                let header = format!("#sorted{table} th:nth-child({}) button", at + 1);
                let (before, rows) = column(&browser, table, at);
                browser.click(&header);
                let (down, same) = column(&browser, table, at);
                assert_eq!(rows, same, "{place}: rows stay whole");
                browser.click(&header);
                let (up, same) = column(&browser, table, at);
                assert_eq!(rows, same, "{place}: rows stay whole");
                moved += usize::from(before != down) + usize::from(down != up);

                // Numbers by their size, and what is none behind them both times.
                let numbers = |entries: &[String]| -> Vec<f64> {
                    entries.iter().map_while(|entry| number(entry)).collect()
                };
                let all = before.iter().filter(|entry| number(entry).is_some()).count();
                let (fallen, risen) = (numbers(&down), numbers(&up));
                assert_eq!((fallen.len(), risen.len()), (all, all), "{place}: {down:?}, {up:?}");
                assert!(fallen.is_sorted_by(|a, b| a >= b), "{place}: {down:?}");
                assert!(risen.is_sorted(), "{place}: {up:?}");
                // Words one way, and then the other way.
                let mut words = told_apart(up[all..].to_vec());
                let reversed = told_apart(down[all..].to_vec());
                let distinct: std::collections::BTreeSet<&String> = reversed.iter().collect();
                assert_eq!(distinct.len(), reversed.len(), "{place}: equal words together");
                let lowered = |word: Option<&String>| word.map(|word| word.to_lowercase());
                assert!(lowered(words.first()) <= lowered(words.last()), "{place}: {up:?}");
                words.reverse();
                assert_eq!(words, reversed, "{place}");
            }
        }
        browser.assert_silent();
    }
    assert!(moved > 50, "only {moved} clicks changed anything");
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn on_a_phone_nothing_is_wider_than_the_screen() {
    let browser = Browser::open();
    browser.look(380, "light");
    let mut scrolling = 0;
    for page in kept_pages() {
        open(&browser, &page);
        let place = page.display();
        for opened in ["", "document.querySelector('.trial button').click()"] {
            browser.js(opened);
            let widths = browser.js("return [document.documentElement.scrollWidth, innerWidth]");
            let [content, screen] = serde_json::from_value::<[f64; 2]>(widths).unwrap();
            assert_eq!(screen, 380.0);
            assert!(content <= screen, "{place}: {content} px {opened}");
            let wide = browser.js("return [...document.querySelectorAll('body *')].filter(e =>
                   !e.closest('.scroll, pre, svg') && e.getBoundingClientRect().right > innerWidth)
                   .map(e => e.outerHTML.slice(0, 200))");
            assert_eq!(wide, serde_json::json!([]), "{place} {opened}");
        }
        let boxes = browser.js("return [...document.querySelectorAll('.scroll')].map(e =>
               [e.scrollWidth > e.clientWidth, getComputedStyle(e).overflowX, e.clientWidth])");
        for (is_wide, overflow, width) in
            serde_json::from_value::<Vec<(bool, String, f64)>>(boxes).unwrap()
        {
            assert!(overflow == "auto" && width <= 380.0, "{place}: {overflow}, {width} px");
            scrolling += usize::from(is_wide);
        }
    }
    assert!(scrolling > 3, "wide tables scroll within their boxes");
}

/// Text whose colour is too near to what is behind it (WCAG 2.1, 1.4.3: 4.5 to 1). Drawings have
/// colours of their own.
const FAINT: &str = "
  const channels = (text) => text.match(/[0-9.]+/g).map(Number);
  const luminance = (text) => {
    const [r, g, b] = channels(text).slice(0, 3)
      .map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const isThere = (colour) => { const c = channels(colour); return c.length === 3 || c[3] === 1; };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (isThere(colour)) return luminance(colour);
    }
    return 1;
  };
  const said = [...document.querySelectorAll('body, body *')].filter(e =>
    !e.closest('svg, script, style') && e.getClientRects().length &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  const faint = said.map(e => {
    const [text, ground] = [luminance(getComputedStyle(e).color), behind(e)];
    const [light, dark] = [Math.max(text, ground), Math.min(text, ground)];
    return [(light + 0.05) / (dark + 0.05), e.outerHTML.slice(0, 120)];
  }).filter(([ratio]) => ratio < 4.5);
  return [luminance(getComputedStyle(document.body).backgroundColor), said.length, faint];
";

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn text_is_readable_in_the_light_and_in_the_dark() {
    let browser = Browser::open();
    for scheme in ["light", "dark"] {
        browser.look(1000, scheme);
        for page in kept_pages() {
            open(&browser, &page);
            browser.js("document.querySelector('.trial button').click()");
            let place = format!("{} in the {scheme}", page.display());
            let (ground, said, faint): (f64, usize, Vec<(f64, String)>) =
                serde_json::from_value(browser.js(FAINT)).unwrap();
            assert_eq!(ground < 0.05, scheme == "dark", "{place}: {ground}");
            assert!(said > 50 && faint.is_empty(), "{place}: {faint:?}");
            // Charts are mostly ground too.
            browser.js("document.querySelector('.drawing').scrollIntoView({behavior: 'instant'})");
            let picture = image::load_from_memory(&browser.picture()).unwrap().to_luma8();
            let mut shades: Vec<u8> = picture.pixels().map(|pixel| pixel.0[0]).collect();
            shades.sort_unstable();
            let median = shades[shades.len() / 2];
            assert_eq!(median < 64, scheme == "dark", "{place}: the median shade is {median}");
        }
    }
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn a_trial_opens_to_its_settings_and_curves() {
    let browser = Browser::open();
    browser.look(1000, "light");
    for page in kept_pages() {
        open(&browser, &page);
        let place = page.display();
        let shown = || -> (bool, Vec<String>, usize, usize) {
            let script = "
              const sheet = document.querySelector('#trial-2 .sheet');
              const isSeen = (e) => e.getBoundingClientRect().height > 0;
              return [isSeen(sheet),
                [...sheet.querySelectorAll('h3')].filter(isSeen).map(e => e.textContent),
                [...sheet.querySelectorAll('dd')].filter(e => isSeen(e) && e.textContent).length,
                [...sheet.querySelectorAll('.curve path[d], .curve circle')].filter(isSeen).length]";
            serde_json::from_value(browser.js(script)).unwrap()
        };
        assert_eq!(shown(), (false, vec![], 0, 0), "{place}: closed at first");
        browser.click("#trial-2 button");
        let (is_open, titles, values, curves) = shown();
        assert!(is_open, "{place}");
        assert_eq!(titles, ["Results", "Settings in which trials differ"], "{place}");
        assert!(values > 4 && curves > 0, "{place}: {values} values, {curves} curves");
        assert_eq!(browser.attribute("#trial-2 button", "aria-expanded"), "true");
        browser.click("#trial-2 button");
        assert_eq!(shown(), (false, vec![], 0, 0), "{place}: closed again");
        browser.assert_silent();
    }
}
