//! Link arguments that let every binary and test find libtorch without a variable set, and the
//! commit that is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What goes into the programs. A build whose sources changed runs this script again.
const SOURCES: [&str; 6] = ["src", "migrations", "sweeps", "Cargo.toml", "Cargo.lock", "build.rs"];

/// Tells the commit to builds that are no checkout: a package, a container.
const COMMIT: &str = "BYOL_SWEEP_COMMIT";

fn main() {
    for source in SOURCES.iter().filter(|source| Path::new(source).exists()) {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rerun-if-env-changed={COMMIT}");
    println!("cargo:rustc-env={COMMIT}={}", commit());
    // torch-sys (a direct dependency under the `torch` feature) tells where it found libtorch.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        println!("cargo:rustc-env=BYOL_SWEEP_LIBTORCH={}", libtorch_version(&lib));
        compile_native(Path::new(&lib));
    }
}

/// Returns what the environment says, else what git or the package says, else `unknown`.
fn commit() -> String {
    let said = std::env::var(COMMIT).ok().filter(|commit| !commit.trim().is_empty());
    said.or_else(checked_out).or_else(packaged).unwrap_or_else(|| "unknown".to_owned())
}

/// Returns the commit of this checkout, and whether anything that is built differs from it. `None`
/// where there is no git, or where the sources lie within the checkout of something else.
fn checked_out() -> Option<String> {
    let top = fs::canonicalize(git(&["rev-parse", "--show-toplevel"])?).ok()?;
    if top != fs::canonicalize(std::env::var_os("CARGO_MANIFEST_DIR")?).ok()? {
        return None;
    }
    // A commit, a checkout and a branch that moves each write one of these. A path that is not
    // there would count as changed for ever.
    let head = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for file in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(head.as_deref()) {
        let path = git(&["rev-parse", "--git-path", file]).map(PathBuf::from);
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    let dirty = if git(&status)?.is_empty() { "" } else { "-dirty" };
    Some(format!("{commit}{dirty}"))
}

/// Returns the commit that `cargo package` noted.
fn packaged() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let hash = text.split_once("\"sha1\"")?.1.split('"').nth(1)?;
    hash.get(..12).map(str::to_owned)
}

fn git(arguments: &[&str]) -> Option<String> {
    // To look must not refresh the index: somebody else may be committing.
    let command = Command::new("git").args(arguments).env("GIT_OPTIONAL_LOCKS", "0").output();
    let output = command.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Compiles the few calls that `tch` does not wrap, with the flags of `torch-sys`.
fn compile_native(lib: &Path) {
    const SOURCE: &str = "src/train/native.cpp";
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default());
    // libtorch's headers take long, and this script runs whenever any source changed.
    let stamp = out.join("native.stamp");
    let source = fs::read_to_string(SOURCE).unwrap_or_default();
    let made_from = format!(
        "{}\n{abi}\n{}\n{source}",
        lib.display(),
        libtorch_version(&lib.display().to_string())
    );
    let made = fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == made_from);
    if made && out.join("libbyol_sweep_native.a").exists() {
        println!("cargo:rustc-link-search=native={}", out.display());
        println!("cargo:rustc-link-lib=static=byol_sweep_native");
        println!("cargo:rustc-link-lib=stdc++");
        return;
    }
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(lib.with_file_name("include"))
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str())
        .file(SOURCE)
        .compile("byol_sweep_native");
    // Without the stamp it is compiled again, no more.
    let _ = fs::write(&stamp, made_from);
}

/// Returns the version that libtorch's own files tell, or `unknown`.
fn libtorch_version(lib: &str) -> String {
    let read = |file: &str| fs::read_to_string(format!("{lib}/../{file}")).ok();
    let wheel = || {
        let text = read("version.py")?;
        let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
        Some(line.trim_matches(['\'', '"']).to_owned())
    };
    // The archive has one file, the Python wheel another.
    read("build-version")
        .map(|text| text.trim().to_owned())
        .or_else(wheel)
        .unwrap_or_else(|| "unknown".to_owned())
}
