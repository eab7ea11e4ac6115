//! The worker: one attempt.

fn main() {
    println!("{}", tch::Cuda::is_available());
}
