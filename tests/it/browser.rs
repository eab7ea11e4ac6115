//! The live page in a real browser, while a sweep really runs: headless Chromium, driven by
//! chromedriver over its own HTTP protocol (WebDriver).
//!
//! `BYOL_SWEEP_CHROMEDRIVER=chromedriver cargo test --test it -- --ignored browser::`; with
//! `BYOL_SWEEP_SCREENSHOTS=FOLDER` all pages are kept there as pictures, in both schemes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::figures;
use crate::serve::{Serving, fixture};
use crate::terminal::{Terminal, assert_code};

/// Far more than anything here takes, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(60);

/// Keys as WebDriver writes them.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const RIGHT: &str = "\u{e014}";
const DOWN: &str = "\u{e015}";

const SWEEP: &str = r#"
schema = 1
name = "tiny"
description = "Two sizes of a batch"
[base]
method = "byol"
data.name = "shapes"
encoder.name = "convnet"
epochs = 1
update_batch_size = 64
[grid]
batch_size = [64, 32]
[replicates]
seeds = [0, 1]
[retry]
max = 0
"#;

/// Looks until there is something, or fails.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < BOUND, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// A run in the background, ended with the test whatever happens.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A folder with a sweep whose trials finish once there is a file `go`.
struct Bench {
    terminal: Terminal,
}

impl Drop for Bench {
    /// No attempt outlives its test.
    fn drop(&mut self) {
        let _gone = self.terminal.type_in("kill tiny");
    }
}

impl Bench {
    fn new() -> Self {
        let terminal = Terminal::new();
        terminal.write("tiny.toml", SWEEP);
        let worker = terminal.write("worker.sh", fs::read(fixture("paced.sh")).unwrap());
        fs::set_permissions(worker, fs::Permissions::from_mode(0o755)).unwrap();
        Self { terminal }
    }

    /// Starts a run and waits until a trial tells of itself.
    fn run(&self) -> Run {
        let line = "run tiny.toml --devices cpu -j 1 --worker worker.sh";
        let mut command = self.terminal.command(line);
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let run = Run(command.spawn().unwrap());
        eventually("a trial runs", || {
            let output = self.terminal.type_in("ls tiny --json");
            String::from_utf8(output.stdout).unwrap().contains("\"running\"").then_some(())
        });
        run
    }

    fn go(&self) {
        self.terminal.write("go", "");
    }

    /// Lets one trial finish.
    fn next(&self) {
        self.terminal.write("next", "");
    }
}

/// A browser with one tab.
pub(crate) struct Browser {
    driver: Child,
    /// Address of its session.
    session: String,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _closed = ureq::delete(&self.session).call();
        let _over = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}

impl Browser {
    pub(crate) fn open() -> Self {
        let driver = std::env::var_os("BYOL_SWEEP_CHROMEDRIVER")
            .expect("BYOL_SWEEP_CHROMEDRIVER names the driver");
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // What it says later goes nowhere, and must not break its pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let user = format!("--user-data-dir={}", profile.path().display());
        let switches = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            user.as_str(),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": switches },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let root = format!("http://127.0.0.1:{}/session", port.unwrap());
        let mut browser = Self { driver, session: root, _profile: profile };
        let id = browser.ask("", &wanted)["sessionId"].as_str().unwrap().to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(2 * BOUND)).build().new_agent();
        let request = agent.post(format!("{}{path}", self.session));
        let mut response =
            request.header("Content-Type", "application/json").send(body.to_string()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {answer}");
        answer["value"].take()
    }

    fn tell(&self, command: &str, params: &Value) -> Value {
        self.ask("/goog/cdp/execute", &json!({ "cmd": command, "params": params }))
    }

    pub(crate) fn go(&self, address: &str) {
        self.ask("/url", &json!({ "url": address }));
    }

    /// Goes to a page of a server by the link that it printed, so that the tab has the token.
    fn enter(&self, serving: &Serving, path: &str) {
        self.go(&format!("{}/#token={}", serving.address, serving.token));
        self.go(&format!("{}{path}", serving.address));
        eventually("the page is live", || (self.text("#pulse") == "live").then_some(()));
    }

    pub(crate) fn js(&self, script: &str) -> Value {
        self.ask("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Clicks on the first element with the mouse.
    pub(crate) fn click(&self, selector: &str) {
        // The driver does not wait for a page that scrolls smoothly.
        self.js(&format!(
            "document.querySelector({selector:?}).scrollIntoView({{ behavior: 'instant', block: 'center' }})"
        ));
        let found = self.ask("/element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        self.ask(&format!("/element/{id}/click"), &json!({}));
    }

    /// Returns the text of the first element; empty where there is none.
    fn text(&self, selector: &str) -> String {
        let script = format!("return (document.querySelector({selector:?})||{{}}).textContent||''");
        self.js(&script).as_str().unwrap().to_owned()
    }

    pub(crate) fn attribute(&self, selector: &str, name: &str) -> String {
        let script = format!(
            "const e=document.querySelector({selector:?}); return e&&e.getAttribute({name:?})||''"
        );
        self.js(&script).as_str().unwrap().to_owned()
    }

    /// Presses keys, one after the other.
    fn press(&self, keys: &str) {
        let key = |key: char| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let actions: Vec<Value> = keys.chars().flat_map(key).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.ask("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Returns what has the focus: its words or its id.
    fn focus(&self) -> String {
        let script = "const e=document.activeElement; return e.id||e.textContent.trim()";
        self.js(script).as_str().unwrap().to_owned()
    }

    /// Walks with the tabulator until this has the focus.
    fn tab_to(&self, what: &str) {
        for _ in 0..60 {
            if self.focus() == what {
                return;
            }
            self.press(TAB);
        }
        panic!("the keyboard does not lead to {what}");
    }

    pub(crate) fn look(&self, width: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", &size);
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.tell("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Takes a picture of the window.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let taken = self.tell("Page.captureScreenshot", &json!({}));
        decoded(taken["data"].as_str().unwrap())
    }

    /// Asserts that the page broke no rule of its policy and that its script ran through.
    #[track_caller]
    pub(crate) fn assert_silent(&self) {
        let said = self.ask("/se/log", &json!({ "type": "browser" }));
        let wrong: Vec<&Value> =
            said.as_array().unwrap().iter().filter(|entry| entry["level"] == "SEVERE").collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

/// Reads base64.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = text.bytes().filter_map(digit).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        let bits = bits << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn a_page_follows_a_run_and_is_never_loaded_again() {
    let bench = Bench::new();
    let mut run = bench.run();
    let serving = Serving::start(&bench.terminal, "");
    let browser = Browser::open();
    browser.enter(&serving, "/sweeps/tiny");
    browser.js("window.mark = 'same'");
    assert_eq!(browser.js("return location.hash"), "", "the token is in no address");
    let course = || browser.attribute("#run1 path", "d");
    let before = eventually("a curve", || Some(course()).filter(|course| course.contains('L')));
    eventually("the curve grows", || (course().len() > before.len() + 20).then_some(()));
    assert_eq!(browser.attribute("#t1", "class"), "cell running");
    bench.go();
    eventually("a cell fills in", || (browser.text("#t1") == "75.0").then_some(()));
    eventually("all cells fill in", || (browser.text("#t4") == "75.0").then_some(()));
    eventually("the count follows", || {
        browser.text(".headline").starts_with("4 of 4").then_some(())
    });
    assert!(browser.attribute("#t1", "class").starts_with("cell done q"));
    assert_eq!(browser.js("return window.mark"), "same");
    assert_eq!(run.0.wait().unwrap().code(), Some(0));
    browser.assert_silent();
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn logs_and_curves_of_a_trial_follow_its_worker() {
    let bench = Bench::new();
    let _run = bench.run();
    let serving = Serving::start(&bench.terminal, "");
    let browser = Browser::open();
    browser.enter(&serving, "/sweeps/tiny");
    let trial = browser.attribute("#t1", "href");
    browser.go(&format!("{}{trial}", serving.address));
    browser.js("window.mark = 'same'");
    let lines = || browser.text("[data-log$=stderr]").lines().count();
    let before = eventually("a log", || Some(lines()).filter(|lines| *lines > 0));
    eventually("the log grows", || (lines() > before + 5).then_some(()));
    let updates = || browser.text("#curve-loss .x");
    let before = eventually("a curve", || Some(updates()).filter(|at| at.contains("update")));
    eventually("the curve grows", || (updates() != before).then_some(()));
    bench.go();
    eventually("its end is shown", || browser.text("#head").contains("75.0 %").then_some(()));
    let log = browser.text("[data-log$=stderr]");
    let said: Vec<&str> = log.lines().collect();
    let expected: Vec<String> = (1..=said.len()).map(|update| format!("update {update}")).collect();
    assert_eq!(said, expected, "every line is there once");
    assert_eq!(browser.js("return window.mark"), "same");
    browser.assert_silent();
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn figures_are_drawn_anew_without_a_reload_or_a_blank() {
    let bench = Bench::new();
    let _run = bench.run();
    let serving = Serving::start(&bench.terminal, "");
    let browser = Browser::open();
    browser.enter(&serving, "/sweeps/tiny/figures");
    assert!(browser.text("#results").contains("has no `linear_top1` yet"));
    browser.js("window.mark = 'same'; window.widths = [];
         const all = {subtree: true, attributes: true, attributeFilter: ['src']};
         const note = (changes) => changes.forEach((at) => widths.push(at.target.naturalWidth));
         new MutationObserver(note).observe(document.getElementById('drawn'), all);");
    bench.next();
    eventually("a figure", || browser.attribute("#drawn img", "src").contains("?v=").then_some(()));
    bench.go();
    eventually("all results", || browser.text("#results").contains("All 4 trials").then_some(()));
    let loaded = "return [...document.querySelectorAll('#drawn img')].every((i) => i.naturalWidth)";
    eventually("all figures", || browser.js(loaded).as_bool().unwrap().then_some(()));
    let widths = browser.js("return window.widths");
    let widths = widths.as_array().unwrap();
    assert!(!widths.is_empty() && !widths.contains(&json!(0)), "the old picture stays: {widths:?}");
    assert_eq!(browser.js("return window.mark"), "same");
    browser.assert_silent();
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn a_keyboard_is_enough() {
    let bench = Bench::new();
    let _run = bench.run();
    let serving = Serving::start(&bench.terminal, "");
    let browser = Browser::open();
    browser.enter(&serving, "/sweeps/tiny");
    browser.tab_to("Pause");
    browser.press(ENTER);
    eventually("the question", || browser.text("#ask-title").contains("Pause").then_some(()));
    assert_eq!(browser.focus(), "Cancel", "the safe answer comes first");
    browser.tab_to("Pause");
    browser.press(ENTER);
    eventually("it is done", || {
        browser.text("#ask-said").contains("nothing more starts; 1 running").then_some(())
    });
    eventually("the way out has the focus", || (browser.focus() == "Close").then_some(()));
    browser.press(ENTER);
    eventually("it is shown", || browser.text("#summary").contains("paused").then_some(()));
    assert_eq!(browser.js("return document.getElementById('ask').open"), false);

    browser.js("document.getElementById('t1').focus()");
    browser.press(RIGHT);
    let right = browser.focus();
    browser.press(DOWN);
    assert_eq!([right, browser.focus()], ["t3", "t4"], "the seeds of a setting stand in a row");
    browser.press("/");
    assert_eq!(browser.focus(), "where");
    browser.press("seed == 1");
    browser.press(ENTER);
    eventually("the filter is in the address", || {
        let address = browser.js("return location.search").as_str().unwrap().to_owned();
        address.contains("where=seed").then_some(())
    });
    eventually("others stand back", || {
        browser.attribute("#t1", "class").ends_with(" out").then_some(())
    });
    browser.tab_to("Devices");
    browser.press(ENTER);
    eventually("the devices", || (browser.text("h1") == "Devices").then_some(()));
    browser.assert_silent();
}

/// Elements that a person can act with, and see.
const ACTING: &str = "[...document.querySelectorAll(
    'a[href], button, input, summary, [tabindex=\"0\"]')].filter(
    (one) => one.type !== 'hidden' && !one.disabled && one.checkVisibility())";

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn the_keyboard_leads_to_all_that_acts_and_shows_where_it_is() {
    let bench = Bench::new();
    bench.go();
    let line = "run tiny.toml --devices cpu -j 1 --worker worker.sh";
    assert_code(&bench.terminal.type_in(line), 0);
    let serving = Serving::start(&bench.terminal, "");
    let browser = Browser::open();
    browser.enter(&serving, "/sweeps/tiny");
    let trial = browser.attribute("#t1", "href");
    for path in [
        "/",
        "/sweeps/tiny?where=seed+%3D%3D+1",
        "/sweeps/tiny?view=list",
        &trial,
        "/sweeps/tiny/figures",
        "/devices",
        "/nowhere",
    ] {
        browser.go(&format!("{}{path}", serving.address));
        browser.js(
            "window.reached = new Set(); window.unseen = [];
             document.addEventListener('focusin', ({ target }) => {
               reached.add(target);
               const { outlineStyle, outlineWidth } = getComputedStyle(target);
               if (outlineStyle === 'none' || parseFloat(outlineWidth) < 2) unseen.push(target.outerHTML);
             });",
        );
        let count = browser.js(&format!("return {ACTING}.length")).as_u64().unwrap() as usize;
        assert!(count > 2, "{path}");
        browser.press(&TAB.repeat(count));
        let missed = format!(
            "return {ACTING}.filter((one) => !reached.has(one)).map((one) => one.outerHTML)"
        );
        assert_eq!(browser.js(&missed), json!([]), "{path}");
        assert_eq!(browser.js("return unseen"), json!([]), "{path}");
    }
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn without_the_token_nothing_is_done() {
    let bench = Bench::new();
    let _run = bench.run();
    let serving = Serving::start(&bench.terminal, "");
    let browser = Browser::open();
    browser.go(&format!("{}/sweeps/tiny", serving.address));
    browser.tab_to("Pause");
    browser.press(ENTER);
    eventually("it is told", || browser.text("#ask-said").contains("the token").then_some(()));
    assert_eq!(browser.js("return document.querySelector('#ask [type=submit]').disabled"), true);
    assert!(!browser.text("#summary").contains("paused"));
}

/// Where pictures are kept, if anybody wants them.
fn shelf() -> Option<PathBuf> {
    let shelf = PathBuf::from(std::env::var_os("BYOL_SWEEP_SCREENSHOTS")?);
    fs::create_dir_all(&shelf).unwrap();
    Some(shelf)
}

/// Returns how bright a picture is at its upper left corner below the head, from 0 to 255.
fn brightness(png: &[u8]) -> u8 {
    let picture = image::load_from_memory(png).unwrap().to_luma8();
    picture.get_pixel(2, 200).0[0]
}

/// Returns how many shades a picture has: a page that shows nothing has one or two.
fn shades(png: &[u8]) -> usize {
    let picture = image::load_from_memory(png).unwrap().to_luma8();
    picture.pixels().map(|pixel| pixel.0[0]).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
#[ignore = "needs Chromium and BYOL_SWEEP_CHROMEDRIVER"]
fn pages_fit_a_phone_and_a_wide_screen_in_light_and_dark() {
    let bench = Bench::new();
    bench.go();
    let line = "run tiny.toml --devices cpu -j 1 --worker worker.sh";
    assert_code(&bench.terminal.type_in(line), 0);
    let serving = Serving::start(&bench.terminal, "");
    let browser = Browser::open();
    browser.enter(&serving, "/sweeps/tiny");
    let trial = browser.attribute("#t1", "href");
    // A sweep whose trials left pictures.
    let shown = figures::Bench::new();
    for place in 0..4 {
        shown.finish(place);
    }
    let gallery = Serving::start(&shown.terminal, "");
    let pages = [
        ("sweeps", "/"),
        ("grid", "/sweeps/tiny"),
        ("list", "/sweeps/tiny?view=list&where=seed+%3D%3D+1"),
        ("wrong-filter", "/sweeps/tiny?where=batch_siz+%3D%3D+1"),
        ("trial", trial.as_str()),
        ("figures", "/sweeps/tiny/figures"),
        ("pictures", "/sweeps/tiny/figures#views"),
        ("devices", "/devices"),
        ("nowhere", "/nowhere"),
    ];
    for (width, scheme) in [(380, "light"), (380, "dark"), (1920, "light"), (1920, "dark")] {
        browser.look(width, scheme);
        for (name, path) in pages {
            let server = if name == "pictures" { &gallery } else { &serving };
            browser.go(&format!("{}{path}", server.address));
            let over =
                browser.js("const e=document.documentElement; return e.scrollWidth-e.clientWidth");
            assert_eq!(over, 0, "{name} is wider than {width}");
            let picture = browser.picture();
            assert!(shades(&picture) > 8, "{name} at {width}, {scheme}, shows nothing");
            assert_eq!(brightness(&picture) > 128, scheme == "light", "{name}, {scheme}");
            if let Some(shelf) = shelf() {
                keep(&shelf, &format!("{name}-{width}-{scheme}.png"), &picture);
            }
        }
    }
}

fn keep(shelf: &Path, name: &str, picture: &[u8]) {
    fs::write(shelf.join(name), picture).unwrap();
}

#[test]
fn base64_is_read() {
    assert_eq!(decoded("TWFueQ=="), b"Many");
    assert_eq!(decoded("TWFu"), b"Man");
    assert_eq!(decoded("AP8="), [0, 255]);
}
