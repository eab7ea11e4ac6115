#!/usr/bin/env bash
# Times the live page: first paint with 10,000 trials, from an attempt's end to its cell, and the
# controller's throughput while nobody and while three browsers watch. Needs Chromium, chromedriver
# and Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for program in chromedriver python3; do
    command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 1; }
done
# A disk in memory, where there is one: what is timed is not the disk.
place=/tmp
[ ! -d /dev/shm ] || place=/dev/shm
folder=$(mktemp -d -p "$place")
trap 'rm -rf "$folder"' EXIT

BYOL_SWEEP_BENCH_KEEP="$folder/large" cargo bench --quiet --no-default-features --bench store -- "${1:-10000}"
python3 scripts/bench-serve.py target/release/byol-sweep tests/fixtures/workers/finishes.sh \
    "$folder/large" "$folder"
