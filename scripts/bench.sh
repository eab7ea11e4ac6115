#!/usr/bin/env bash
# Times what people wait for, with the release build, in a folder of its own. Run it on a machine
# that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=$PWD/target/release/byol-sweep
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BYOL_SWEEP_STATE=$work/state

# Prints the median wall time of `runs` runs of a command, and the largest memory of any of them.
measure() {
    python3 - "$@" <<'PYTHON'
import resource, statistics, subprocess, sys, time
runs, command = int(sys.argv[1]), sys.argv[2:]
times = []
for _ in range(runs):
    start = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    times.append(time.monotonic() - start)
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"{1000 * statistics.median(times):.0f} ms, {memory:.0f} MB")
PYTHON
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
tau_base = { linspace = [0.9, 0.999, 100] }
[replicates]
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
TOML

cat >"$work/seeds.toml" <<TOML
schema = 1
name = "bench-seeds"
[base]
data.name = "shapes"
update_batch_size = 256
batch_size = 64
[replicates]
seeds = [$(seq --separator=, 100000)]
TOML

cat >"$work/short.toml" <<'TOML'
schema = 1
name = "bench-short"
[base]
data.name = "shapes"
data.shapes.train = 64
data.shapes.test = 64
encoder.width = 0.25
projector.hidden = 64
projector.out = 32
epochs = 2
update_batch_size = 64
batch_size = 64
[replicates]
seeds = [0, 1, 2, 3, 4, 5, 6]
[eval]
linear = { epochs = 2, batch_size = 64, learning_rates = [0.1], holdout = 0.2 }
TOML

# Whole runs, loader and all, of each encoder at its size.
whole_run() {
    local encoder=$1 side=$2 batch=$3 images=$4
    cat >"$work/whole.toml" <<TOML
schema = 1
name = "bench-$encoder"
[base]
data.name = "shapes"
data.shapes.train = $images
data.shapes.test = 20
data.shapes.side = $side
encoder.name = "$encoder"
projector.hidden = 1024
projector.out = 256
predictor.hidden = 1024
epochs = 2
update_batch_size = $batch
batch_size = $batch
augment.preset = "byol_small"
[eval]
linear = { epochs = 1, batch_size = 64, learning_rates = [0.1], holdout = 0.2 }
TOML
    "$bin" --quiet run -j 1 "$work/whole.toml"
    local key
    key=$("$bin" ls "bench-$encoder" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["trials"][0]["key"])')
    python3 - "$work/state/trials/$key/0001/events.jsonl" <<'PYTHON'
import json, sys
values = [line["event"]["values"] for line in map(json.loads, open(sys.argv[1])) if line["event"]["kind"] == "metrics"]
print(f"{values[-1]['images_per_s']:.1f} images/s, at most {values[-1]['peak_resident_bytes'] / 1e6:.0f} MB")
PYTHON
}

report "machine" "$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
report "start: --version (median of 21)" "$(measure 21 "$bin" --version)"
report "plan of 100,000 trials, printed (median of 9)" "$(measure 9 "$bin" plan "$work/large.toml")"
report "plan of one setting with 100,000 seeds (median of 9)" "$(measure 9 "$bin" plan "$work/seeds.toml")"
"$bin" --quiet run -j 1 "$work/short.toml"
report "start: status (median of 21)" "$(measure 21 "$bin" status)"
"$bin" ls bench-short --json | python3 <(cat <<'PYTHON'
import glob, json, statistics, sys
state, bin_path = sys.argv[1], sys.argv[2]
import subprocess
begin, end, evaluation = [], [], []
for trial in json.load(sys.stdin)["trials"]:
    shown = json.loads(subprocess.check_output([bin_path, "show", trial["key"], "--json"]))
    attempt = shown["attempts"][0]
    lines = [json.loads(l) for l in open(glob.glob(f"{state}/trials/{trial['key']}/0001/events.jsonl")[0])]
    at = {}
    for line in lines:
        at.setdefault(line["event"]["kind"], []).append(line["at_ms"])
    begin.append(at["metrics"][0] - attempt["started_ms"])
    evaluation.append(at["evaluated"][-1] - at["metrics"][-1])
    end.append(attempt["ended_ms"] - at["evaluated"][-1])
def show(name, values):
    print(f"{name:<46} {statistics.median(values):.0f} ms")
show("attempt: row to end of first update (7 trials)", begin)
show("attempt: last update to results (evaluation)", evaluation)
show("attempt: results to row of the end", end)
PYTHON
) "$work/state" "$bin"
report "whole run: convnet, 32 px, batch 64" "$(whole_run convnet 32 64 1024)"
report "whole run: resnet18, 32 px, batch 64" "$(whole_run resnet18 32 64 128)"
report "whole run: resnet50, 224 px, batch 16" "$(whole_run resnet50 224 16 32)"
cargo bench --quiet --bench throughput
# Thousands of trials that do nothing, and a database of ten thousand. scripts/bench-peers.sh times
# other orchestrators on the same.
cargo bench --quiet --bench orchestrator
cargo bench --quiet --bench store
