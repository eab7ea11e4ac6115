//! The live page as a browser gets it: real servers over real state folders, asked over HTTP. Shell
//! scripts stand in for the worker.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use byol_sweep::outcome::{FailureReason, Outcome};
use byol_sweep::plan::{Limit, Plan, Request, expand};
use byol_sweep::spec;
use byol_sweep::store::rows::AttemptKind;
use byol_sweep::store::{DATABASE, Edit, NewAttempt, Store};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::Connection;

use crate::terminal::{Terminal, assert_code, stderr};

/// Far more than anything here takes, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(60);

pub(crate) const SWEEP: &str = r#"
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

pub(crate) fn fixture(worker: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/workers").join(worker)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Returns a folder in which the sweep was run to its end by this worker.
fn folder(worker: &str, code: i32) -> Terminal {
    let terminal = Terminal::new();
    terminal.write("tiny.toml", SWEEP);
    let worker = fixture(worker).display().to_string();
    let run = format!("run tiny.toml --devices cpu -j 1 --worker {worker}");
    assert_code(&terminal.type_in(&run), code);
    terminal
}

/// A server, ended with the test whatever happens.
pub(crate) struct Serving {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What came back.
pub(crate) struct Answer {
    status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.timeout_global(Some(BOUND)).build().new_agent()
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Answer {
    let (parts, mut body) = response.into_parts();
    let body = body.read_to_string().unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

impl Serving {
    pub(crate) fn start(terminal: &Terminal, rest: &str) -> Self {
        let mut command = terminal.command(&format!("serve --port 0 {rest}"));
        command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (address, token) = line.trim().split_once("/#token=").unwrap();
        let port = address.rsplit_once(':').unwrap().1;
        let address = format!("http://127.0.0.1:{port}");
        Self { child, address, token: token.to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().get(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call().unwrap())
    }

    fn post_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().post(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send_empty().unwrap())
    }

    /// Asks for something to be done, as the page does.
    fn act(&self, token: &str, origin: &str, body: &str) -> Answer {
        let request = agent()
            .post(format!("{}/sweeps/tiny/act", self.address))
            .header("Origin", origin)
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Type", "application/json");
        answer(request.send(body).unwrap())
    }

    /// Does something that must succeed, and returns what was said of it.
    #[track_caller]
    fn does(&self, body: &str) -> String {
        let answer = self.act(&self.token, &self.address, body);
        assert_eq!(answer.status, 200, "{body}: {}", answer.body);
        answer.body
    }

    /// Asks for a page that must be there.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Sends a path as it is written, which no client does.
    fn raw(&self, path: &str) -> String {
        let host = self.address.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).unwrap();
        back
    }

    fn interrupt(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < BOUND, "it does not end");
            std::thread::yield_now();
        }
    }
}

/// Returns the key of a trial.
fn key(terminal: &Terminal, number: usize) -> String {
    let output = terminal.type_in("ls --json");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    document["trials"][number - 1]["key"].as_str().unwrap().to_owned()
}

#[test]
fn every_page_shows_what_the_store_has() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let index = serving.page("/");
    assert!(index.contains("href=\"/sweeps/tiny\"") && index.contains("4 of 4"), "{index}");
    let sweep = serving.page("/sweeps/tiny");
    assert!(sweep.contains("Two sizes of a batch"), "{sweep}");
    assert_eq!(sweep.matches("75.0</a>").count(), 4, "a cell a trial: {sweep}");
    assert_eq!(sweep.matches("75.0<span class=\"muted\"> ± 0.0").count(), 2, "{sweep}");
    let key = key(&terminal, 1);
    assert!(sweep.contains(&format!("href=\"/sweeps/tiny/trials/{key}\"")), "{sweep}");
    for prefix in [key.as_str(), &key[..8]] {
        let trial = serving.page(&format!("/sweeps/tiny/trials/{prefix}"));
        for told in ["batch_size=64", "linear_top1", "75.0 %", "ready", "curve-loss", "finished"] {
            assert!(trial.contains(told), "{told}: {trial}");
        }
    }
    assert_eq!(serving.page(&format!("/sweeps/tiny/trials/{key}/logs/1/stderr")), "");
}

#[test]
fn pages_load_and_do_only_what_is_theirs() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let key = key(&terminal, 1);
    for path in ["/", "/sweeps/tiny", &format!("/sweeps/tiny/trials/{key}"), "/nowhere"] {
        let answer = serving.get(path);
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        for inline in ["style=", "<style", "onclick", "javascript:", "http://", "https://", "//"] {
            let body = answer.body.replace("href=\"//", "BAD");
            assert!(!body.contains(inline), "{path} has {inline}: {body}");
        }
        for loaded in answer.body.split("/assets/").skip(1) {
            let file = format!("/assets/{}", loaded.split('"').next().unwrap());
            let asset = serving.get(&file);
            assert_eq!(asset.status, 200, "{file}");
            assert!(asset.header("cache-control").contains("immutable"));
        }
    }
}

#[test]
fn filters_and_pages_live_in_the_address() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let half = serving.page("/sweeps/tiny?where=seed+%3D%3D+1&view=list");
    assert!(half.contains("2 of 4 trials"), "{half}");
    assert_eq!(half.matches("<tr id=").count(), 2, "{half}");
    assert!(half.contains("value=\"seed == 1\""), "it stands in its field: {half}");
    let sorted = serving.page("/sweeps/tiny?view=list&sort=-number");
    let at = |number: u32| sorted.find(&format!("<tr id=\"t{number}\"")).unwrap();
    assert!(at(4) < at(1), "{sorted}");
    assert!(sorted.contains("aria-sort=\"descending\""));
    let none = serving.page("/sweeps/tiny?where=seed+%3D%3D+9");
    assert!(none.contains("No trial of tiny matches"), "{none}");
    let wrong = serving.get("/sweeps/tiny?where=batch_siz+%3D%3D+1");
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("did you mean `batch_size`?"), "{}", wrong.body);
    for query in ["page=x", "page=-1", "view=circle"] {
        let answer = serving.get(&format!("/sweeps/tiny?{query}"));
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
    }
    assert!(serving.page("/sweeps/tiny?page=999").contains("75.0</a>"), "the last page there is");
}

#[test]
fn what_failed_stands_first_and_says_why() {
    let terminal = folder("exits_1.sh", 100);
    let serving = Serving::start(&terminal, "");
    let page = serving.page("/sweeps/tiny");
    let (failures, trials) =
        (page.find("id=\"failures\"").unwrap(), page.find("id=\"trials\"").unwrap());
    assert!(failures < trials);
    let section = &page[failures..trials];
    assert_eq!(section.matches("<li id=\"failed").count(), 4, "{section}");
    assert!(section.contains("<strong>"), "{section}");
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let missing = serving.get("/sweeps/nine");
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("there is tiny"), "{}", missing.body);
    let key = key(&terminal, 1);
    for path in [
        "/sweeps/tiny/trials/ffff",
        "/sweeps/tiny/trials/1",
        &format!("/sweeps/tiny/trials/{key}/logs/9/stderr"),
        &format!("/sweeps/tiny/trials/{key}/logs/1/spec.json"),
        "/assets/0000000000000000/style.css",
    ] {
        assert_eq!(serving.get(path).status, 404, "{path}");
    }
}

#[test]
fn no_address_leads_out_of_the_pages() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let key = key(&terminal, 1);
    for path in [
        "/../../../../etc/hostname",
        "/assets/../../Cargo.toml",
        "/assets/..%2f..%2fserve.token/style.css",
        "/sweeps/..%2f..%2fserve.token",
        &format!("/sweeps/tiny/trials/{key}/logs/1/..%2f..%2fspec.json"),
        &format!("/sweeps/tiny/trials/{key}/logs/..%2f1/stderr"),
        &format!("/sweeps/tiny/trials/..%2f..%2f{key}"),
        "/sweeps/%00",
        "/sweeps/%ff",
    ] {
        let back = serving.raw(path);
        let status: u16 = back.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!((400..500).contains(&status), "{path}: {back}");
        assert!(!back.contains(&serving.token) && !back.contains("\"format\""), "{path}: {back}");
    }
}

#[test]
fn strangers_are_refused_whatever_they_ask_for() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    assert_eq!(serving.get_with("/", &[("Host", "evil.example")]).status, 421);
    assert_eq!(serving.get_with("/", &[("Host", "10.0.0.1")]).status, 421);
    assert_eq!(serving.get_with("/", &[("Host", "localhost:1234")]).status, 200);
    let bearer = format!("Bearer {}", serving.token);
    let own = serving.address.as_str();
    let login = |origin: &str, bearer: &str| {
        serving.post_with("/login", &[("Origin", origin), ("Authorization", bearer)]).status
    };
    assert_eq!(login("http://evil.example", &bearer), 403);
    assert_eq!(login("null", &bearer), 403);
    assert_eq!(serving.post_with("/login", &[("Authorization", &bearer)]).status, 403);
    assert_eq!(login(own, "Bearer 0000"), 401);
    assert_eq!(login(own, &bearer), 303);
    let named = Serving::start(&terminal, "--host gpu-box");
    assert_eq!(named.get_with("/", &[("Host", "GPU-box:80")]).status, 200);
}

#[test]
fn the_network_reads_with_the_token_of_this_start_alone() {
    let terminal = folder("finishes.sh", 0);
    let before = Serving::start(&terminal, "--listen 0.0.0.0");
    let old = format!("Bearer {}", before.token);
    assert_eq!(before.get_with("/", &[("Authorization", &old)]).status, 200);
    drop(before);
    let serving = Serving::start(&terminal, "--listen 0.0.0.0");
    for path in ["/", "/sweeps/tiny", "/events"] {
        let shut = serving.get(path);
        assert_eq!(shut.status, 401, "{path}");
        assert!(!shut.body.contains("tiny"), "{}", shut.body);
        assert_eq!(serving.get_with(path, &[("Authorization", &old)]).status, 401, "{path}");
    }
    let own = serving.address.as_str();
    let stale = serving.post_with("/login", &[("Origin", own), ("Authorization", &old)]);
    assert!(stale.status == 401 && stale.body.contains("printed when it was started last"));
    let bearer = format!("Bearer {}", serving.token);
    let entered = serving.post_with("/login", &[("Origin", own), ("Authorization", &bearer)]);
    let cookie = entered.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(&serving.token), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(serving.get_with("/sweeps/tiny", &[("Cookie", pair)]).status, 200);
    assert_eq!(serving.get_with("/", &[("Cookie", "byol-sweep=0000")]).status, 401);
    let kept = fs::read_to_string(terminal.path().join(".byol-sweep/serve.token")).unwrap();
    assert_eq!(kept.trim(), serving.token);
}

#[test]
fn what_cannot_be_served_is_told_with_a_code() {
    let nothing = Terminal::new();
    let output = nothing.type_in("serve --port 0");
    assert_code(&output, 4);
    assert!(stderr(&output).contains("there is no sweep in"), "{}", stderr(&output));
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let port = serving.address.rsplit_once(':').unwrap().1;
    let output = terminal.type_in(&format!("serve --port {port}"));
    assert_code(&output, 1);
    assert!(
        stderr(&output).contains("is in use: choose another with --port"),
        "{}",
        stderr(&output)
    );
    let output = terminal.type_in("serve --port 0 --listen 192.0.2.1");
    assert_code(&output, 1);
    assert!(stderr(&output).contains("an address of this machine?"), "{}", stderr(&output));
    assert_code(&terminal.type_in("serve --port 99999"), 2);
}

#[test]
fn a_store_of_a_newer_version_is_told_of_at_the_start_and_later() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    serving.page("/sweeps/tiny");
    let file = terminal.path().join(".byol-sweep").join(DATABASE);
    block_on(async {
        let url = format!("sqlite://{}", file.display());
        let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations
                     (version, description, success, checksum, execution_time)
                     VALUES (9999, 'of the future', 1, x'00', 0)";
        sqlx::query(newer).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
    for path in ["/", "/sweeps/tiny"] {
        let answer = serving.get(path);
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        assert!(answer.body.contains("was written by a newer byol-sweep; upgrade"));
    }
    let output = terminal.type_in("serve --port 0");
    assert_code(&output, 1);
    assert!(stderr(&output).contains("newer byol-sweep; upgrade"), "{}", stderr(&output));
}

#[test]
fn the_end_waits_for_nobody_who_watches() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let watching = agent().get(format!("{}/events", serving.address)).call().unwrap();
    assert_eq!(watching.status(), 200);
    let token = terminal.path().join(".byol-sweep/serve.token");
    assert!(token.exists());
    assert_eq!(serving.interrupt(), Some(0));
    assert!(!token.exists(), "it is worth nothing any more");
}

#[test]
fn whoever_watches_is_told_of_changes_and_then_sees_them() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let mut watching = agent().get(format!("{}/events", serving.address)).call().unwrap();
    let mut lines = BufReader::new(watching.body_mut().as_reader()).lines();
    let mut next = || lines.find(|line| line.as_ref().unwrap().starts_with("event: change"));
    assert!(next().is_some(), "the first look tells once");
    assert!(!serving.page("/sweeps/tiny?view=list").contains("best-one"));
    assert_code(&terminal.type_in("tag 2 --add best-one"), 0);
    assert!(next().is_some());
    assert!(serving.page("/sweeps/tiny?view=list").contains("<span class=\"tag\">best-one</span>"));
    terminal.write("tiny.toml", SWEEP.replace("[0, 1]", "[0, 1, 2]"));
    let worker = fixture("finishes.sh").display().to_string();
    let run = format!("run tiny.toml --devices cpu -j 1 --worker {worker}");
    assert_code(&terminal.type_in(&run), 0);
    assert!(next().is_some());
    assert!(serving.page("/sweeps/tiny").contains("6 of 6"), "a changed file is seen too");
}

const EVIL: &str = "<script>alert('x')</script>\"&";

/// Makes a store in which every text of people is markup.
fn evil(terminal: &Terminal) -> Plan {
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    let mut plan = expand(&spec::parse("tiny.toml", SWEEP).unwrap(), &request).unwrap();
    plan.meta.name = EVIL.to_owned();
    plan.meta.description = EVIL.to_owned();
    for trial in &mut plan.trials {
        for label in Arc::make_mut(&mut trial.labels) {
            label.arm = Some(EVIL.to_owned());
        }
    }
    let keys: Vec<_> = plan.trials.iter().map(|trial| trial.train_key.clone()).collect();
    block_on(async {
        let store = Store::open(&terminal.path().join(".byol-sweep")).await.unwrap();
        store.sync_plan(&plan, 1).await.unwrap();
        let add = vec![EVIL.to_owned()];
        store.edit(&Edit::Tag { trials: keys.clone(), add, remove: vec![] }, 1).await.unwrap();
        let attempt = NewAttempt {
            train_key: keys[0].clone(),
            kind: AttemptKind::Train,
            eval_key: plan.eval_key.clone(),
            device: byol_sweep::ids::DeviceId::Cpu,
            threads: 1,
            started_ms: 1,
        };
        let row = store.begin_attempt(attempt).await.unwrap();
        fs::create_dir_all(&row.folder).unwrap();
        fs::write(row.folder.join("stderr.log"), EVIL).unwrap();
        let outcome = Outcome::Failed { reason: FailureReason::Panicked, detail: EVIL.to_owned() };
        store.end_attempt(row.id, &outcome, 2).await.unwrap();
        store.close().await;
    });
    plan
}

#[test]
fn markup_in_any_text_of_people_stays_text() {
    let terminal = Terminal::new();
    let plan = evil(&terminal);
    let serving = Serving::start(&terminal, "");
    let sweep = "/sweeps/%3Cscript%3Ealert%28%27x%27%29%3C%2Fscript%3E%22%26";
    let index = serving.page("/");
    assert!(index.contains(&format!("href=\"{sweep}\"")), "{index}");
    let trial = format!("{sweep}/trials/{}", plan.trials[0].train_key);
    let filtered = format!("{sweep}?where=%3Cscript%3Ealert%281%29");
    let list = format!("{sweep}?view=list");
    for path in ["/", sweep, &list, &trial, &filtered, "/sweeps/%3Cscript%3E"] {
        let answer = serving.get(path);
        assert!(answer.body.contains("&lt;script&gt;"), "{path}: {}", answer.body);
        let body = answer.body.replace("<script src=\"/assets/", "");
        assert!(!body.contains("<script"), "{path}: {body}");
        assert!(!body.contains("('x')</script>\"&\""), "{path}: {body}");
    }
    let log = serving.get(&format!("{trial}/logs/1/stderr"));
    assert_eq!(log.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(log.body, EVIL);
}

fn states(terminal: &Terminal) -> Vec<String> {
    let output = terminal.type_in("ls tiny --json");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let trials = document["trials"].as_array().unwrap().iter();
    trials.map(|trial| trial["state"].as_str().unwrap().to_owned()).collect()
}

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

#[test]
fn acting_needs_the_token_a_page_and_the_number_that_was_shown() {
    let terminal = folder("exits_1.sh", 100);
    let serving = Serving::start(&terminal, "");
    let question = serving.page("/sweeps/tiny/act?verb=retry");
    assert!(question.contains("Retry 4 trials of tiny?"), "{question}");
    assert!(question.contains("data-count=\"4\""), "{question}");
    let right = "{\"verb\":\"retry\",\"where\":\"\",\"trial\":\"\",\"count\":4}";
    let own = serving.address.as_str();
    assert_eq!(serving.act("", own, right).status, 401);
    let stale = serving.act(&"0".repeat(64), own, right);
    assert!(stale.status == 401 && stale.body.contains("the token of this start"));
    assert_eq!(serving.act(&serving.token, "http://evil.example", right).status, 403);
    let other = serving.act(&serving.token, own, &right.replace('4', "3"));
    assert!(other.status == 409 && other.body.contains("it is about 4 trials now, not 3"));
    for wrong in ["", "{}", "[]", "{\"verb\":\"dance\",\"count\":4}", "{\"verb\":\"retry\"}"] {
        let answer = serving.act(&serving.token, own, wrong);
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
    assert_eq!(states(&terminal), ["failed"; 4], "nothing was done so far");
    assert!(serving.page("/sweeps/tiny").contains("act?verb=retry"));
    assert!(serving.does(right).contains("4 trials forgiven: the next `byol-sweep run` starts"));
    assert_eq!(states(&terminal), ["stopped"; 4]);
    let again = serving.act(&serving.token, own, &right.replace('4', "0"));
    assert!(again.status == 409 && again.body.contains("nothing to retry"), "{}", again.body);
}

#[test]
fn trials_are_held_and_released_by_a_filter_or_by_their_key() {
    let terminal = folder("exits_1.sh", 100);
    let serving = Serving::start(&terminal, "");
    let held = |terminal: &Terminal| {
        let output = terminal.type_in("ls tiny -E held --json");
        let document: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_default();
        document["trials"].as_array().map_or(0, Vec::len)
    };
    let filter = "{\"verb\":\"pause\",\"where\":\"seed == 1\",\"count\":2}";
    assert!(serving.does(filter).contains("2 trials held back"));
    assert_eq!(held(&terminal), 2);
    let key = key(&terminal, 1);
    let one = format!("{{\"verb\":\"pause\",\"trial\":\"{key}\",\"count\":1}}");
    assert!(serving.does(&one).contains("1 trial held back"));
    assert_eq!(held(&terminal), 3);
    assert!(serving.does(&one.replace("pause", "resume")).contains("1 trial may start"));
    assert_eq!(held(&terminal), 2);
    let wrong = "{\"verb\":\"pause\",\"where\":\"seed ==\",\"count\":2}";
    assert_eq!(serving.act(&serving.token, &serving.address, wrong).status, 400);
    let none = "{\"verb\":\"pause\",\"count\":4}";
    let refused = serving.act(&serving.token, &serving.address, none);
    assert!(refused.status == 409 && refused.body.contains("no run of tiny is at work"));
}

/// A run, ended with the test whatever happens.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_run_at_work_is_shown_paused_resumed_and_killed() {
    let terminal = Terminal::new();
    terminal.write("tiny.toml", SWEEP);
    let worker = fixture("obeys.sh").display().to_string();
    let mut command =
        terminal.command(&format!("run tiny.toml --devices cpu -j 1 --worker {worker}"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    let mut run = Run(command.spawn().unwrap());
    eventually("a trial runs", || {
        let output = terminal.type_in("ls tiny --json");
        String::from_utf8(output.stdout).unwrap().contains("\"running\"").then_some(())
    });
    let serving = Serving::start(&terminal, "");
    let page = serving.page("/sweeps/tiny");
    assert!(page.contains("At work: a run of") && page.contains("act?verb=pause"), "{page}");
    assert!(page.contains("<li id=\"run1\">"), "{page}");
    let whole = |verb: &str| format!("{{\"verb\":\"{verb}\",\"count\":4}}");
    assert!(serving.does(&whole("pause")).contains("nothing more starts; 1 running goes on"));
    let page = serving.page("/sweeps/tiny");
    assert!(page.contains(">paused</span>") && page.contains("act?verb=resume"), "{page}");
    assert!(serving.does(&whole("resume")).contains("the run goes on"));
    assert!(serving.does(&whole("kill")).contains("the run ends"));
    let status = eventually("the run ends", || run.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    eventually("nobody is at work any more", || {
        (!serving.page("/sweeps/tiny").contains("At work")).then_some(())
    });
}

#[test]
fn what_nobody_is_at_does_not_run() {
    let terminal = folder("exits_1.sh", 100);
    let key = key(&terminal, 2);
    block_on(async {
        let store = Store::open(&terminal.path().join(".byol-sweep")).await.unwrap();
        let sweep = store.sweep("tiny").await.unwrap().unwrap();
        let attempt = NewAttempt {
            train_key: key.parse().unwrap(),
            kind: AttemptKind::Train,
            eval_key: sweep.eval_key,
            device: byol_sweep::ids::DeviceId::Cpu,
            threads: 1,
            started_ms: 1,
        };
        store.begin_attempt(attempt).await.unwrap();
        store.close().await;
    });
    let serving = Serving::start(&terminal, "");
    for path in ["/", "/sweeps/tiny", &format!("/sweeps/tiny/trials/{key}")] {
        let page = serving.page(path);
        assert!(page.contains("interrupted"), "{path}: {page}");
        assert!(!page.contains("class=\"state running"), "{path}: {page}");
    }
}

#[test]
fn devices_and_figures_are_shown_as_they_stand() {
    let terminal = folder("finishes.sh", 0);
    let serving = Serving::start(&terminal, "");
    let devices = serving.page("/devices");
    assert!(devices.contains("id=\"cpu\"") && devices.contains("memory"), "{devices}");
    let page = serving.page("/sweeps/tiny/figures");
    assert!(page.contains("4 trials have a result") || page.contains("All 4"), "{page}");
    let file = page.split("<img src=\"").nth(1).unwrap().split('"').next().unwrap();
    let svg = serving.get(file);
    assert_eq!((svg.status, svg.header("content-type")), (200, "image/svg+xml"));
    assert!(svg.body.contains("<svg"), "{}", svg.body);
    let narrow = page.split("srcset=\"").nth(1).unwrap().split('"').next().unwrap();
    let narrow = serving.get(narrow);
    assert!(narrow.status == 200 && narrow.body.contains("<svg") && narrow.body != svg.body);
    assert_eq!(serving.get("/sweeps/tiny/figures/nothing.svg").status, 404);
    assert_eq!(serving.get("/sweeps/tiny/figures/..%2f..%2fspec.json").status, 404);
    assert_eq!(serving.get("/sweeps/nine/figures").status, 404);
    let failed = folder("exits_1.sh", 100);
    let nothing = Serving::start(&failed, "").page("/sweeps/tiny/figures");
    assert!(nothing.contains("has no `linear_top1` yet"), "{nothing}");
}

#[test]
fn what_a_sweep_took_and_what_is_left_are_what_status_says() {
    let terminal = folder("finishes.sh", 0);
    let said = |terminal: &Terminal| {
        let status = terminal.type_in("status tiny");
        let text = String::from_utf8(status.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("cost: ")).unwrap().to_owned();
        line.split_once("cost: ").unwrap().1.to_owned()
    };
    let serving = Serving::start(&terminal, "");
    let page = serving.page("/sweeps/tiny");
    let spent = said(&terminal);
    assert!(spent.contains("CPU-hours spent"), "{spent}");
    assert!(page.contains(&format!("<p class=\"cost\">{spent}</p>")), "{spent}: {page}");
    // A third seed is left, of settings that are known.
    terminal.write("tiny.toml", SWEEP.replace("[0, 1]", "[0, 1, 2]"));
    let worker = fixture("exits_1.sh").display().to_string();
    let run = format!("run tiny.toml --devices cpu -j 1 --worker {worker}");
    assert_code(&terminal.type_in(&run), 100);
    assert_code(&terminal.type_in("retry tiny -E seed==2"), 0);
    let both = said(&terminal);
    assert!(both.contains("CPU-hours left"), "{both}");
    eventually("it is worked out anew", || {
        let page = serving.page("/sweeps/tiny");
        let told = page.contains(&format!("<p class=\"cost\">{both}<span"));
        (told && page.contains("expected from other seeds (2)")).then_some(())
    });
}

#[test]
fn a_page_of_many_trials_has_a_bounded_part_of_them() {
    let terminal = Terminal::new();
    let axis = "tau_base = { linspace = [0.9, 0.999, 500] }";
    let text = SWEEP
        .replace("batch_size = [64, 32]", axis)
        .replace("epochs = 1", "epochs = 1\nbatch_size = 64");
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    let plan = expand(&spec::parse("tiny.toml", &text).unwrap(), &request).unwrap();
    block_on(async {
        let store = Store::open(&terminal.path().join(".byol-sweep")).await.unwrap();
        store.sync_plan(&plan, 1).await.unwrap();
        store.close().await;
    });
    let serving = Serving::start(&terminal, "");
    let cells = |page: &str| page.matches("<a class=\"cell").count();
    let first = serving.page("/sweeps/tiny");
    assert!(first.contains("0 of 1,000") && first.contains("1–60 of 500"), "{first}");
    assert_eq!(cells(&first), 120);
    let last = serving.page("/sweeps/tiny?page=9");
    assert_eq!(cells(&last), 40);
    assert!(last.contains("rel=\"prev\"") && !last.contains("rel=\"next\""));
    let list = serving.page("/sweeps/tiny?view=list&page=10");
    assert_eq!(list.matches("<tr id=").count(), 100);
    assert!(list.contains("901–1,000 of 1,000") && list.contains("page=9\""), "{list}");
}
