//! What people get wrong, typed as they type it: one message that names the place, the cause and
//! the way out, the documented exit code, and never a panic.

use std::path::PathBuf;
use std::process::Output;

use byol_sweep::store::DATABASE;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::terminal::{Terminal, assert_code, stderr, stdout};

const HEAD: &str = "schema = 1\nname = \"t\"\n";
const SHAPES: &str = "[base]\ndata.name = \"shapes\"\n";

fn worker(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/workers").join(name)
}

/// Asserts that a line ends with this code and one message, which has all these words.
#[track_caller]
fn refused(output: &Output, code: i32, words: &[&str]) {
    assert_code(output, code);
    let said = stderr(output);
    let messages = said.matches('×').count() + said.matches("error:").count();
    assert_eq!(messages, 1, "{said}");
    // Long messages are wrapped, with a bar before what continues.
    let unwrapped: Vec<&str> = said.split_whitespace().filter(|word| *word != "│").collect();
    let unwrapped = unwrapped.join(" ");
    for word in words {
        assert!(unwrapped.contains(word), "{word}: {said}");
    }
    assert!(stdout(output).is_empty(), "{}", stdout(output));
}

/// Runs a sweep file with a worker that would finish every trial.
fn run(terminal: &Terminal, sweep: &str, flags: &str) -> Output {
    terminal.write("x.toml", format!("{HEAD}{sweep}"));
    let worker = worker("finishes.sh");
    terminal.type_in(&format!("run x.toml --worker {} {flags}", worker.display()))
}

#[test]
fn a_wrong_sweep_file_is_refused_with_its_line() {
    let grid =
        |axes: &str| format!("{SHAPES}batch_size = 64\nupdate_batch_size = 256\n[grid]\n{axes}\n");
    let base = |setting: &str| format!("{SHAPES}{setting}\n");
    let cases: &[(String, &[&str])] = &[
        (base("tau_bsae = 0.9"), &["x.toml:5:1", "`tau_bsae`", "did you mean `tau_base`?"]),
        (base("epochs = \"ten\""), &["x.toml:5:10", "`epochs` takes a whole number", "\"ten\""]),
        (base("tau_base = 1.5"), &["x.toml:5:12", "`tau_base` takes a number in [0, 1], not 1.5"]),
        (base("\"optimizer.base_lr\" = 0.1"), &["x.toml:5:1", "optimizer.base_lr", "quote"]),
        (
            base("augment.remove = [\"blurr\"]"),
            &["x.toml:5:19", "\"blurr\"", "did you mean \"blur\"?"],
        ),
        (base("augment.remove = [\"blur\", \"blur\"]"), &["x.toml:5", "names blur twice"]),
        (grid("tau_base = []"), &["x.toml:8:12", "the axis `tau_base` has no values"]),
        (grid("epochs = [10, 20, 10]"), &["x.toml:8", "the axis `epochs` has 10 twice"]),
        (
            grid("batch_size = [64, 100]"),
            &[
                "x.toml:8:19",
                "`batch_size` 100 does not divide `update_batch_size` 256",
                "\"same\"",
            ],
        ),
        (
            base("[grid]\nbatch_size = [64, 128]"),
            &["x.toml:6", "`update_batch_size` is not said", "update_batch_size = \"same\""],
        ),
        (
            grid("method = [\"byol\", \"simclr\"]\ntau_base = [0.9, 0.99]"),
            &["x.toml:9:1", "`tau_base` cannot act", "method = \"simclr\"", "[[when]]"],
        ),
        (
            grid("augment.remove = [\"blur\", \"grayscale\"]"),
            &["x.toml:8", "`augment.remove` is a list of lists", "[[], [\"blur\"]"],
        ),
        ("[base\n".to_owned(), &["x.toml:3", "not valid TOML"]),
        (String::new(), &["`data.name` is not said"]),
    ];
    let terminal = Terminal::new();
    for (sweep, words) in cases {
        terminal.write("x.toml", format!("{HEAD}{sweep}"));
        refused(&terminal.type_in("plan x.toml"), 2, words);
    }
    let (sweep, words) = &cases[0];
    refused(&run(&terminal, sweep, "--devices cpu"), 2, words);
    assert!(!terminal.path().join(".byol-sweep").exists(), "a refused sweep left something");
}

#[test]
fn a_wrong_set_is_refused_with_its_text() {
    let terminal = Terminal::new();
    let set = |pair: &str| run(&terminal, SHAPES, &format!("--devices cpu --set {pair}"));
    refused(&set("epochs=ten"), 2, &["`epochs` takes a whole number", "\"ten\""]);
    refused(&set("epoch=3"), 2, &["`epoch`", "did you mean `epochs`?"]);
    refused(&set("epochs"), 2, &["--set takes KEY=VALUE"]);
}

#[test]
fn more_than_a_million_trials_want_a_yes() {
    let terminal = Terminal::new();
    let many = "[grid]\nepochs = { range = [1, 2000], step = 1 }\noptimizer.base_lr = { linspace = [1, 2, 1000] }\n";
    let sweep = format!("{SHAPES}{many}");
    refused(&run(&terminal, &sweep, "--devices cpu"), 2, &["2000000 trials", "--yes"]);
}

#[test]
fn a_batch_larger_than_the_data_set_is_refused_before_anything_runs() {
    let terminal = Terminal::new();
    let larger = "data.shapes.train = 100\nbatch_size = 128\n";
    let words =
        ["an update of 128 images is more than the 100 training images", "lower `batch_size`"];
    refused(&run(&terminal, &format!("{SHAPES}{larger}"), "--devices cpu"), 2, &words);
    for class in ["a", "b"] {
        for half in ["train", "val"] {
            terminal.write(&format!("photos/{half}/{class}/1.png"), "listed, not read");
        }
    }
    let output = run(&terminal, &folder("photos", "batch_size = 4"), "--devices cpu");
    refused(&output, 2, &["update_batch_size = 4", "2 training images"]);
}

fn folder(path: &str, settings: &str) -> String {
    format!(
        "[base]\ndata.name = \"image_folder\"\ndata.path = \"{path}\"\nepochs = 1\n{settings}\n"
    )
}

#[test]
fn folders_that_cannot_be_trained_or_judged_on_are_named() {
    let terminal = Terminal::new();
    std::fs::create_dir(terminal.path().join("empty")).unwrap();
    for half in ["train", "val"] {
        for image in [1, 2] {
            terminal.write(&format!("single/{half}/only/{image}.png"), "listed, not read");
        }
    }
    terminal.write("untested/train/a/1.png", "listed, not read");
    terminal.write("untested/train/b/1.png", "listed, not read");
    terminal.write("unlabelled/1.png", "listed, not read");
    terminal.write("unlabelled/2.png", "listed, not read");
    let cases: &[(&str, &[&str])] = &[
        ("nowhere", &["nowhere is missing", "data.path"]),
        ("empty", &["empty: it holds no JPEG or PNG file", "train/<class>/*.jpg"]),
        ("single", &["single", "the one class `only`", "eval.data"]),
        ("untested", &["untested", "no test images", "val/<class>/", "eval.data"]),
        ("unlabelled", &["unlabelled", "no labels", "train/<class>/", "eval.data"]),
    ];
    for (path, words) in cases {
        let output = run(&terminal, &folder(path, "batch_size = 2"), "--devices cpu");
        refused(&output, 2, words);
    }
    for missing in ["nowhere", "empty"] {
        refused(&terminal.type_in(&format!("data check {missing}")), 2, &[missing]);
    }
    let cifar = "[base]\ndata.name = \"cifar10\"\n";
    let output = run(&terminal, cifar, "--devices cpu --data-dir d");
    refused(&output, 2, &["data_batch_1.bin is missing", "byol-sweep data fetch cifar10"]);
}

#[test]
fn a_file_of_cifar10_that_was_cut_is_named() {
    let terminal = Terminal::new();
    for batch in [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ] {
        terminal.write(&format!("d/cifar-10-batches-bin/{batch}.bin"), [0; 3073 * 2 + 5]);
    }
    let cifar = "[base]\ndata.name = \"cifar10\"\n";
    let words = ["data_batch_1.bin", "6151", "byol-sweep data fetch cifar10"];
    refused(&run(&terminal, cifar, "--devices cpu --data-dir d"), 2, &words);
    refused(&terminal.type_in("data check d"), 2, &words);
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let terminal = Terminal::new();
    refused(&run(&terminal, SHAPES, "--devices tpu"), 2, &["`tpu`", "`cuda:0,1`"]);
    let output = run(&terminal, SHAPES, "--devices cuda:97");
    assert_code(&output, 2);
    let said = stderr(&output);
    assert!(
        said.contains("no GPU is visible here") || said.contains("no `cuda:97` here"),
        "{said}"
    );
}

#[test]
fn a_worker_that_is_missing_is_named_before_anything_starts() {
    let terminal = Terminal::new();
    terminal.write("x.toml", format!("{HEAD}{SHAPES}"));
    let output = terminal.type_in("run x.toml --devices cpu --worker elsewhere/worker");
    refused(&output, 1, &["elsewhere/worker", "--worker"]);
    assert!(!terminal.path().join(".byol-sweep").exists());
}

#[test]
fn a_worker_that_cannot_load_libtorch_says_so_before_any_trial_fails() {
    let terminal = Terminal::new();
    terminal.write("x.toml", format!("{HEAD}{SHAPES}"));
    let worker = worker("lacks_libtorch.sh");
    let line = format!("run x.toml --devices cpu --worker {}", worker.display());
    let missing = "error while loading shared libraries: libtorch_cpu.so";
    // It is asked anew each time.
    for _ in 0..2 {
        refused(&terminal.type_in(&line), 1, &["lacks_libtorch.sh cannot be run", missing]);
    }
    refused(&terminal.type_in("status"), 4, &["byol-sweep run FILE"]);
}

#[test]
fn a_state_folder_that_cannot_be_is_named() {
    let terminal = Terminal::new();
    terminal.write("taken", "a file");
    let output = run(&terminal, SHAPES, "--devices cpu --state-dir taken");
    refused(&output, 1, &["taken", "--state-dir"]);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let terminal = Terminal::new();
    assert_code(&run(&terminal, SHAPES, "--devices cpu"), 0);
    let file = terminal.path().join(".byol-sweep").join(DATABASE);
    let mut raw = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    let newer = "UPDATE _sqlx_migrations SET version = version + 1000";
    sqlx::query(newer).execute(&mut raw).await.unwrap();
    drop(raw);
    let words = [DATABASE, "newer byol-sweep; upgrade"];
    refused(&run(&terminal, SHAPES, "--devices cpu"), 1, &words);
    for line in ["status", "ls", "show 1", "report", "plan x.toml"] {
        refused(&terminal.type_in(line), 1, &words);
    }
}

#[test]
fn a_trial_or_a_sweep_that_is_not_there_ends_with_4() {
    let terminal = Terminal::new();
    for line in ["status", "ls", "show 1", "logs 1", "report"] {
        refused(&terminal.type_in(line), 4, &["byol-sweep run FILE", "--state-dir"]);
    }
    assert_code(&run(&terminal, SHAPES, "--devices cpu"), 0);
    refused(&terminal.type_in("ls other"), 4, &["no sweep `other`", "t"]);
    refused(&terminal.type_in("show 7"), 4, &["t has no trial 7: it has 1"]);
    refused(&terminal.type_in("logs ffffffff"), 4, &["begins with ffffffff"]);
}
