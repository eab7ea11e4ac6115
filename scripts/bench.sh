#!/usr/bin/env bash
# Times what people wait for, with the release build, in a folder of its own. Prints one line each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=$PWD/target/release/byol-sweep
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BYOL_SWEEP_STATE=$work/state

# Prints the median of `runs` wall times of a command in milliseconds.
median_ms() {
    local runs=$1 start end
    shift
    for _ in $(seq "$runs"); do
        start=$(date +%s%N)
        "$@" >/dev/null 2>&1
        end=$(date +%s%N)
        echo $(((end - start) / 1000))
    done | sort -n | awk '{ t[NR] = $1 } END { printf "%.1f ms", t[int((NR + 1) / 2)] / 1000 }'
}

report() { printf '%-46s %s\n' "$1" "$2"; }

cat >"$work/large.toml" <<'TOML'
schema = 1
name = "bench-large"
[base]
method = "byol"
data.name = "shapes"
update_batch_size = 256
[grid]
batch_size = [256, 128, 64, 32, 16]
optimizer.base_lr = { logspace = [1e-3, 1.0, 20] }
tau_base = { linspace = [0.9, 0.999, 10] }
[replicates]
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
TOML

report "machine" "$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
report "start: --version (median of 21)" "$(median_ms 21 "$bin" --version)"
report "plan of 10,000 trials (median of 5)" "$(median_ms 5 "$bin" plan "$work/large.toml")"
report "quickstart sweep, whole (1 run)" "$(median_ms 1 "$bin" run sweeps/quickstart.toml)"
report "start: status after it (median of 21)" "$(median_ms 21 "$bin" status)"
