//! Link arguments that let every binary and test find libtorch without a variable set.

use std::fs;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    // torch-sys (a direct dependency under the `torch` feature) tells where it found libtorch.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        println!("cargo:rustc-env=BYOL_SWEEP_LIBTORCH={}", libtorch_version(&lib));
        compile_native(Path::new(&lib));
    }
}

/// Compiles the few calls that `tch` does not wrap, with the flags of `torch-sys`.
fn compile_native(lib: &Path) {
    const SOURCE: &str = "src/train/native.cpp";
    println!("cargo:rerun-if-changed={SOURCE}");
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(lib.with_file_name("include"))
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str())
        .file(SOURCE)
        .compile("byol_sweep_native");
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
