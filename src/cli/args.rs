//! What was typed. Knows the shape of the command line and nothing of what the verbs do; help,
//! completions and the man page all come from here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use super::target::{HoldArgs, StopArgs, SweepArgs, TagArgs, WaitArgs};
use crate::spec::sweep::Scale;
use crate::ui::{ColorChoice, Verbosity};

/// Plans, runs and reports BYOL and SimCLR ablation sweeps.
#[derive(Debug, Parser)]
#[command(name = "byol-sweep", version, max_term_width = 100)]
#[command(after_help = "\
Exit codes: 0 all asked-for trials finished · 1 internal error, or the state folder is in use · \
2 usage or sweep file rejected · 3 different · 4 nothing matched · 5 timed out · \
100 finished, but trials failed · 130 interrupted")]
pub struct Args {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Folder of the database and the attempts.
    #[arg(long, global = true, value_name = "DIR", env = "BYOL_SWEEP_STATE")]
    #[arg(default_value = ".byol-sweep", help_heading = "Global options")]
    pub state_dir: PathBuf,
    /// Folder of data sets (default: the user's cache folder).
    #[arg(long, global = true, value_name = "DIR", env = "BYOL_SWEEP_DATA")]
    #[arg(help_heading = "Global options")]
    pub data_dir: Option<PathBuf>,
    /// Program that trains one attempt (default: byol-sweep-worker beside this program).
    #[arg(long, global = true, value_name = "PATH", env = "BYOL_SWEEP_WORKER")]
    #[arg(help_heading = "Global options")]
    pub worker: Option<PathBuf>,
    /// Colours: auto (on terminals, unless NO_COLOR is set or TERM is dumb), always or never.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    #[arg(hide_possible_values = true)]
    #[arg(help_heading = "Global options")]
    pub color: ColorChoice,
    /// Says less: errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    #[arg(help_heading = "Global options")]
    pub quiet: bool,
    /// Says more: causes, paths, the notes of trials.
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub verbose: bool,
}

impl Global {
    /// Returns how much to say.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}

/// A verb.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Writes an annotated sweep file to start from.
    Init(InitArgs),
    /// Expands and checks a sweep file, counts its trials; changes nothing.
    Plan(PlanArgs),
    /// Plans and executes what is not done yet; run it again to resume.
    Run(RunArgs),
    /// One screen: counts, running trials, time left, first failures.
    Status(StatusArgs),
    /// A row per trial: state, settings that vary, results.
    Ls(LsArgs),
    /// Everything about one trial.
    Show(TrialArgs),
    /// What a trial's worker wrote to its standard output and error.
    Logs(LogsArgs),
    /// Charts and tables of a sweep.
    Report(ReportArgs),
    /// Copies results for other programs: CSV, Parquet, TensorBoard, weights for PyTorch, ...
    Export(ExportArgs),
    /// Takes other people's results from a CSV file, to be set beside ours.
    Import(ImportArgs),
    /// Data sets: list, fetch, check.
    Data(DataArgs),
    /// Checks that this machine can run sweeps.
    Doctor(ReaderArgs),
    /// Starts nothing more of a sweep while its run is on; or holds trials back.
    Pause(HoldArgs),
    /// Goes on with a paused run; or lets go of held trials.
    Resume(HoldArgs),
    /// Lets attempts write a checkpoint and stop; single trials are held then.
    Stop(StopArgs),
    /// Kills attempts; single trials are held then.
    Kill(StopArgs),
    /// Forgives failed trials their failures, so that they are tried again.
    Retry(HoldArgs),
    /// Waits until nothing is left to do.
    Wait(WaitArgs),
    /// Gives trials names, takes them away, or lists them.
    Tag(TagArgs),
    /// Hides a sweep; its trials and their results stay.
    Rm(SweepArgs),
    /// Shows a hidden sweep again.
    Restore(SweepArgs),
    /// What is promised when things go wrong, and the tests that hold it.
    #[command(hide = true, help_template = super::guarantees::TEXT)]
    Guarantees,
    /// Prints a shell's completion script.
    Completions(CompletionsArgs),
    /// Prints the man page, or writes one page a verb into a folder.
    Man(ManArgs),
    /// What sets two trials, or two sweeps, apart.
    Diff(DiffArgs),
    /// Why a trial waits, was skipped or retried, and what the next run does with it.
    Explain(TrialArgs),
    /// Frees the disk of what no sweep asks for any more; says what, unless told to delete it.
    Gc(GcArgs),
    /// The database: check, back up, vacuum.
    Db(DbArgs),
    /// Shows the sweeps in a browser, live.
    Serve(ServeArgs),
}

/// Options of verbs that read.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ReaderArgs {
    /// Prints JSON with a `schema` field.
    #[arg(long)]
    json: bool,
}

impl ReaderArgs {
    /// Returns the form of the output.
    pub fn form(self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// Form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs: one JSON document with `"schema": 1`.
    Json,
}

/// `serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Port to listen on; 0 takes a free one.
    #[arg(short, long, value_name = "N", default_value_t = 7007)]
    pub port: u16,
    /// Address to listen on. Beyond this machine every request needs the token, and nothing is
    /// encrypted: a tunnel (`ssh -L 7007:localhost:7007 HOST`) is safer.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: std::net::IpAddr,
    /// A further name by which browsers may call this machine.
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
}

/// `init`.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// `grid`, `arms`, or the name of a sweep that ships.
    #[arg(default_value = "grid")]
    pub template: String,
    /// File to write; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "sweep.toml")]
    pub out: PathBuf,
    /// Overwrites the file.
    #[arg(long)]
    pub force: bool,
}

/// What differs from a sweep file.
#[derive(Clone, Debug, clap::Args)]
pub struct ChangeArgs {
    /// Sets a key for every trial; later ones win.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Tries every cell for two epochs with the first seed, as the sweep NAME-smoke.
    #[arg(long)]
    smoke: bool,
}

impl ChangeArgs {
    /// Returns whether the sweep trains as its file says.
    pub fn scale(&self) -> Scale {
        if self.smoke { Scale::Smoke } else { Scale::Full }
    }
}

/// `plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Sweep file, or the name of one that ships.
    pub file: PathBuf,
    /// What differs from the file.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// Tries a few updates of what nothing comparable is known of, with the real worker: a minute
    /// each, five in all.
    #[arg(long)]
    pub probe: bool,
    /// Says what this much device time has room for: 40h, 2d 12h.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub budget: Option<Duration>,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Sweep file, or the name of one that ships.
    pub file: PathBuf,
    /// Trials at a time on the CPU.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// auto (all GPUs, else the CPU), cpu, or cuda:0,1.
    #[arg(long, value_name = "DEVICES", default_value = "auto")]
    pub devices: String,
    /// What differs from the file.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// Starts at most this many trials.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Starts nothing more after the first failed trial.
    #[arg(long, conflicts_with = "max_fail")]
    pub fail_fast: bool,
    /// Starts nothing more after this many failed trials.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_fail: Option<u32>,
    /// Tries failed trials again.
    #[arg(long)]
    pub retry_failed: bool,
    /// Asks nothing.
    #[arg(short, long)]
    pub yes: bool,
    /// Runs in the background, in a session of its own; what it says goes to controller.log.
    #[arg(long)]
    detach: bool,
    /// Marks the process that `--detach` starts.
    #[arg(long, hide = true, conflicts_with = "detach")]
    own_session: bool,
    /// Starts nothing that would take this run beyond so much device time: 40h, 2d 12h.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub budget: Option<Duration>,
}

/// Where a run takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// On this terminal.
    Here,
    /// In a process that this one starts.
    Apart,
    /// In this process, which leaves its terminal.
    Own,
}

impl RunArgs {
    /// Returns where to run.
    pub fn session(&self) -> Session {
        match (self.detach, self.own_session) {
            (true, _) => Session::Apart,
            (false, true) => Session::Own,
            (false, false) => Session::Here,
        }
    }

    /// Returns after how many failed trials nothing more starts; `None` means never.
    pub fn failures_allowed(&self) -> Option<u32> {
        if self.fail_fast { Some(1) } else { self.max_fail }
    }
}

/// `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Name of a sweep, or `@` for the latest (default: all).
    pub sweep: Option<String>,
    /// Shows it again as it changes, until nothing runs any more or `q` is typed.
    #[arg(short, long)]
    pub watch: bool,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `ls`.
#[derive(Debug, clap::Args)]
pub struct LsArgs {
    /// Name of a sweep, or `@` for the latest.
    #[arg(default_value = "@")]
    pub sweep: String,
    /// Only trials of which this is true: `batch_size >= 256 && state == "done"` (docs/filters.md).
    #[arg(short = 'E', long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// By a name as in filters; with a minus before it from large to small.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// Prints CSV.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `show`.
#[derive(Debug, clap::Args)]
pub struct TrialArgs {
    /// Number in the sweep, or a unique prefix of the key, four characters or more.
    pub trial: String,
    /// The sweep that numbers count in.
    #[arg(long, value_name = "NAME", default_value = "@")]
    pub sweep: String,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `logs`.
#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    /// Number in the sweep, or a unique prefix of the key, four characters or more.
    pub trial: String,
    /// The sweep that numbers count in.
    #[arg(long, value_name = "NAME", default_value = "@")]
    pub sweep: String,
    /// Goes on as the worker writes, until it ends.
    #[arg(short, long)]
    pub follow: bool,
    /// Form of the output: with `--json` a line of JSON for each piece that was read.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// Name of a sweep, or `@` for the latest.
    #[arg(default_value = "@")]
    pub sweep: String,
    /// Folder to write to (default: reports/NAME).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to write: html, md, tex, png, svg, csv, json, rows [default: all but
    /// svg].
    #[arg(long, value_name = "FORMATS", value_delimiter = ',', hide_possible_values = true)]
    pub format: Vec<ReportFormat>,
    /// How many columns of a page charts are wide: 1 is 3.25 inches, 2 is 6.75.
    #[arg(long, value_name = "N", default_value = "2", hide_possible_values = true)]
    pub columns: ReportColumns,
    /// Leads with another metric than the sweep file says; goes to reports/NAME-METRIC.
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// Writes nothing: says which files of kept reports do not follow from their rows, and ends
    /// with 3 if any. FOLDER is a report or holds several [default: reports].
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "reports",
        conflicts_with_all = ["sweep", "out", "format", "columns", "metric"])]
    pub check: Option<PathBuf>,
}

/// How wide charts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportColumns {
    /// One column.
    #[value(name = "1")]
    One,
    /// Two columns.
    #[value(name = "2")]
    Two,
}

/// A kind of file that `report` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Charts.
    Png,
    /// Charts for print.
    Svg,
    /// The page with tables, for people.
    Md,
    /// All of it, for a browser.
    Html,
    /// The tables for a paper.
    Tex,
    /// Results for spreadsheets.
    Csv,
    /// Results for programs.
    Json,
    /// The rows that the report was drawn from.
    Rows,
}

/// `export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A sweep by its name or `@` for the latest; or a trial, by its number in the sweep or a
    /// unique prefix of its key.
    #[arg(default_value = "@", value_name = "SWEEP|TRIAL")]
    pub what: String,
    /// Of a sweep: csv, jsonl, parquet, tensorboard. Of a trial: safetensors (its
    /// encoder), npy (the features of all images).
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub format: ExportFormat,
    /// Folder or file to write (default: exports/NAME-FORMAT).
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Overwrites an earlier export.
    #[arg(long)]
    pub force: bool,
    /// The sweep that numbers of trials count in.
    #[arg(long, value_name = "NAME", default_value = "@")]
    pub sweep: String,
}

/// `import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// CSV file; docs/exports.md tells its columns.
    pub file: PathBuf,
    /// What to call it (default: the name of the file).
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Overwrites another import of that name.
    #[arg(long)]
    pub force: bool,
}

/// Form of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A sweep's trials and series.
    Csv,
    /// A sweep's trials and series, a JSON document a line.
    Jsonl,
    /// A sweep's trials and series.
    Parquet,
    /// A sweep's trials and series.
    Tensorboard,
    /// A trial's encoder.
    Safetensors,
    /// A trial's features.
    Npy,
}

/// `data`.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// What to do with data sets.
    #[command(subcommand)]
    pub verb: DataVerb,
}

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub enum DataVerb {
    /// The data sets that a sweep can name, and which are here.
    List(ReaderArgs),
    /// Downloads a data set into the data folder.
    Fetch {
        /// Its name, as `data.name` has it.
        name: String,
    },
    /// Reads a folder as a data set and says what is in it.
    Check {
        /// The folder.
        path: PathBuf,
        /// Form of the output.
        #[command(flatten)]
        reader: ReaderArgs,
    },
}

/// `completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Folder for the pages (default: prints the main page).
    #[arg(long, value_name = "DIR", action = ArgAction::Set)]
    pub out: Option<PathBuf>,
}

/// `gc`.
#[derive(Debug, clap::Args)]
pub struct GcArgs {
    /// Deletes what was found.
    #[arg(short, long)]
    pub yes: bool,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

/// `db`.
#[derive(Debug, clap::Args)]
pub struct DbArgs {
    /// What to do with the database.
    #[command(subcommand)]
    pub verb: DbVerb,
}

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub enum DbVerb {
    /// Looks through all of it; exit code 1 where anything is broken.
    Check(ReaderArgs),
    /// Writes a copy, also while a sweep runs.
    Backup {
        /// File to write; it must not exist.
        file: PathBuf,
        /// Form of the output.
        #[command(flatten)]
        reader: ReaderArgs,
    },
    /// Gives back the room of what was deleted.
    Vacuum(ReaderArgs),
}

/// `diff`.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// A sweep, or a trial by its number or a prefix of its key.
    pub a: String,
    /// Another one.
    pub b: String,
    /// The sweep that numbers count in.
    #[arg(long, value_name = "NAME", default_value = "@")]
    pub sweep: String,
    /// Form of the output.
    #[command(flatten)]
    pub reader: ReaderArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Args::command().debug_assert();
    }

    /// The names of the verbs below one that have an argument of that name.
    fn with_argument(command: &clap::Command, argument: &str) -> Vec<String> {
        let mut found = Vec::new();
        for verb in command.get_subcommands() {
            let below = with_argument(verb, argument);
            found.extend(below.into_iter().map(|name| format!("{} {name}", verb.get_name())));
            let has_it = verb.get_arguments().any(|known| known.get_id() == argument);
            found.extend(has_it.then(|| verb.get_name().to_owned()));
        }
        found
    }

    #[test]
    fn the_document_of_every_verb_is_described() {
        let page = include_str!("../../docs/json.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
        let mut described: Vec<String> =
            rows.flat_map(|verbs| verbs.split(", ")).map(|verb| verb.replace('`', "")).collect();
        described.iter_mut().for_each(|verb| *verb = verb.trim().to_owned());
        described.sort();
        let mut verbs = with_argument(&Args::command(), "json");
        verbs.sort();
        assert_eq!(described, verbs);
    }

    #[test]
    fn fail_fast_is_one_failure() {
        let run = |extra: &[&str]| {
            let args = ["byol-sweep", "run", "x.toml"].iter().chain(extra);
            match Args::try_parse_from(args).unwrap().verb {
                Verb::Run(run) => run.failures_allowed(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(run(&[]), None);
        assert_eq!(run(&["--fail-fast"]), Some(1));
        assert_eq!(run(&["--max-fail", "3"]), Some(3));
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "byol-sweep run x.toml --fail-fast --max-fail 2",
            "byol-sweep -q -v status",
            "byol-sweep run x.toml -j 0",
            "byol-sweep run x.toml --limit 0",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
