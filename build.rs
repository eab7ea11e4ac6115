//! Link arguments that let every binary and test find libtorch without a variable set.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    // torch-sys (a direct dependency under the `torch` feature) tells where it found libtorch.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
