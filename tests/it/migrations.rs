//! Databases of every earlier schema, as the versions of their time wrote them: this version opens
//! them, shows the same, and goes on with their sweeps.
//!
//! tests/fixtures/store/NNNN.sql is a dump after migration NNNN, NNNN.json what its own version
//! said of it. `scripts/store-fixture.sh` makes the pair of the newest schema; that is the first
//! step of a change to the schema.

use std::fs;
use std::path::{Path, PathBuf};

use byol_sweep::store::{DATABASE, Store};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::terminal::{Terminal, assert_code, stderr, stdout};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the numbers of all migrations.
fn migrations() -> Vec<u32> {
    let entries = fs::read_dir(root().join("migrations")).unwrap();
    let number = |name: String| name.split_once('_').unwrap().0.parse().unwrap();
    let mut numbers: Vec<u32> =
        entries.map(|entry| number(entry.unwrap().file_name().into_string().unwrap())).collect();
    numbers.sort_unstable();
    numbers
}

fn fixture(number: u32, ending: &str) -> PathBuf {
    root().join(format!("tests/fixtures/store/{number:04}.{ending}"))
}

/// Returns the fixtures that this version can open: all but the newest schema's must be there.
fn fixtures() -> Vec<u32> {
    let all = migrations();
    let (newest, earlier) = all.split_last().unwrap();
    let missing: Vec<_> = earlier.iter().filter(|n| !fixture(**n, "sql").exists()).collect();
    assert!(
        missing.is_empty(),
        "no fixture of schema {missing:?}: check out the version before the next migration, build \
         it and run scripts/store-fixture.sh"
    );
    let has_one = |number: &u32| fixture(*number, "sql").exists();
    earlier.iter().copied().chain(Some(*newest).filter(has_one)).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// Makes the database of a dump in a state folder of its own.
fn restored(number: u32) -> Terminal {
    let terminal = Terminal::new();
    let state = terminal.path().join(".byol-sweep");
    fs::create_dir(&state).unwrap();
    let dump = fs::read_to_string(fixture(number, "sql")).unwrap();
    block_on(async {
        // A dump names tables before it makes them.
        let options = SqliteConnectOptions::new()
            .filename(state.join(DATABASE))
            .create_if_missing(true)
            .foreign_keys(false);
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(dump)).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
    terminal
}

/// Asserts that `found` says all that `expected` does; a later version may say more.
#[track_caller]
fn assert_says(found: &Value, expected: &Value, at: &str) {
    match expected {
        Value::Object(fields) => {
            for (name, value) in fields {
                assert_says(&found[name], value, &format!("{at}.{name}"));
            }
        }
        Value::Array(items) => {
            assert_eq!(found.as_array().map(Vec::len), Some(items.len()), "{at}");
            for (place, item) in items.iter().enumerate() {
                assert_says(&found[place], item, &format!("{at}[{place}]"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            assert_eq!(found, expected, "{at}");
        }
    }
}

fn ls(terminal: &Terminal, sweep: &str) -> Value {
    let output = terminal.type_in(&format!("ls {sweep} --json"));
    assert_code(&output, 0);
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["trials"].take()
}

#[test]
fn a_database_of_every_earlier_schema_is_opened_and_says_the_same() {
    for number in fixtures() {
        let terminal = restored(number);
        let state = terminal.path().join(".byol-sweep");
        if migrations().last() != Some(&number) {
            let refused = terminal.type_in("ls fixture");
            assert_code(&refused, 1);
            assert!(stderr(&refused).contains("brings it up to date"), "{}", stderr(&refused));
        }
        block_on(async { Store::open(&state).await.unwrap().close().await });
        let expected = fs::read_to_string(fixture(number, "json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        for (sweep, trials) in expected.as_object().unwrap() {
            assert_says(&ls(&terminal, sweep), trials, &format!("{number:04} {sweep}"));
        }
        let shown = terminal.type_in("show 1 --sweep fixture");
        assert_code(&shown, 0);
        assert!(stdout(&shown).contains("finished"), "{}", stdout(&shown));
    }
}

#[test]
fn a_sweep_of_every_earlier_schema_is_gone_on_with() {
    let worker = root().join("tests/fixtures/workers/finishes.sh");
    for number in fixtures() {
        let terminal = restored(number);
        let state = terminal.path().join(".byol-sweep");
        let source = block_on(async {
            let store = Store::open(&state).await.unwrap();
            let source = store.sweep("fixture").await.unwrap().unwrap().source_toml;
            store.close().await;
            source
        });
        let before = ls(&terminal, "fixture");
        terminal.write("fixture.toml", source);
        let run = format!("run fixture.toml -j 1 --devices cpu --worker {}", worker.display());
        assert_code(&terminal.type_in(&format!("{run} --retry-failed")), 0);
        let after = ls(&terminal, "fixture");
        for (before, after) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
            assert_eq!(after["state"], "done", "{number:04}: {after}");
            let more = i64::from(before["state"] != "done");
            let attempts = before["attempts"].as_i64().unwrap() + more;
            assert_eq!(after["attempts"].as_i64(), Some(attempts), "{number:04}: {after}");
        }
    }
}
