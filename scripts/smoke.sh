#!/usr/bin/env bash
# Tries every cell of every sweep on shapes for two epochs, and writes what came out to
# reports/smoke.md: whether all of them run, not what they are worth. About eight minutes on two
# cores with the release build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=${BYOL_SWEEP:-target/release/byol-sweep}
state=${1:-$(mktemp -d)}
for file in sweeps/shapes/*.toml; do
    "$bin" --state-dir "$state" --quiet run --smoke "$file"
done
python3 - "$bin" "$state" >reports/smoke.md <<'PYTHON'
import glob, json, subprocess, sys, tomllib
bin, state = sys.argv[1:]
trials = 0
tables = []
for path in sorted(glob.glob("sweeps/shapes/*.toml")):
    sweep = tomllib.load(open(path, "rb"))
    name = sweep["name"] + "-smoke"
    listed = json.loads(subprocess.check_output([bin, "--state-dir", state, "ls", name, "--json"]))
    rows = [f"## {sweep['name']}\n", f"`byol-sweep run --smoke {path}`\n",
            "| cell | state | verdict | linear top-1 (%) | kNN top-1 (%) |", "| --- | --- | --- | ---: | ---: |"]
    for trial in listed["trials"]:
        trials += 1
        found = trial["results"] or {}
        percent = lambda metric: f"{100 * found[metric]:.1f}" if metric in found else "-"
        words = lambda label: ", ".join(
            ([label["arm"]] if label["arm"] else []) + [f"{k} = {v}" for k, v in label["axes"].items()])
        label = " or ".join(words(label) or "all" for label in trial["labels"])
        rows.append(f"| {label} | {trial['state']} | {trial['verdict'] or '-'} | "
                    f"{percent('linear_top1')} | {percent('knn_top1')} |")
    tables.append("\n".join(rows) + "\n")
print(f"""# Smoke run of the sweeps on shapes

Every cell of every sweep in `sweeps/shapes`, trained for two epochs with the first seed and evaluated:
{trials} rows; a cell that several sweeps share stands in each of them. It shows that every arm of every
table runs to its end. Two epochs say nothing of what an arm is worth, so nothing here stands beside a
published number. Made by `scripts/smoke.sh`. Guessing gives 10 %.
""")
print("\n".join(tables), end="")
PYTHON
