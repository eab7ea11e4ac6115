#!/usr/bin/env bash
# Makes tests/fixtures/store/NNNN.sql, a small database as this version writes it, and NNNN.json,
# what it says of it; NNNN is the newest migration. To be run before a change of the schema is begun:
#   scripts/store-fixture.sh [byol-sweep]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=$(realpath "${1:-target/debug/byol-sweep}")
workers=$PWD/tests/fixtures/workers
out=$PWD/tests/fixtures/store
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

sweep() {
    cat <<TOML
schema = 1
name = "$1"
description = "What a database of this schema looks like"
[base]
data.name = "shapes"
epochs = 2
update_batch_size = 64
batch_size = 64
[grid]
method = ["byol", "simclr"]
[[arm]]
name = "crop only"
augment.only = ["crop"]
[replicates]
seeds = $2
[retry]
max = 0
TOML
}
run() { "$bin" --quiet --worker "$workers/$1" run "$2" --devices cpu -j 1 "${@:3}"; }

# Two revisions of a sweep with finished, failed and stopped trials, and a sweep that shares some.
sweep fixture "[0]" >fixture.toml
run finishes.sh fixture.toml --limit 2
run exits_1.sh fixture.toml --limit 1 || [ $? = 100 ]
"$bin" --quiet --worker "$workers/obeys.sh" run fixture.toml --devices cpu -j 1 --limit 1 &
# The third worker that says that it is ready waits.
until [ "$(cat .byol-sweep/trials/*/0001/events.jsonl | grep -c ready)" = 3 ]; do sleep 0.05; done
kill -INT $!
wait $! || [ $? = 130 ]
sweep fixture "[0, 1]" >fixture.toml
run finishes.sh fixture.toml --limit 1 || [ $? = 100 ]
sweep shared "[0]" >shared.toml
run finishes.sh shared.toml --limit 1 || [ $? = 100 ]

python3 - "$bin" "$out" <<'PYTHON'
import json, pathlib, sqlite3, subprocess, sys, re
bin, out = sys.argv[1], pathlib.Path(sys.argv[2])
db = sqlite3.connect(".byol-sweep/byol-sweep.db")
(version,) = db.execute("SELECT max(version) FROM _sqlx_migrations").fetchone()
# Neither when it ran nor on what, so that making it again changes little.
db.execute("UPDATE _sqlx_migrations SET installed_on = '2026-01-01 00:00:00', execution_time = 0")
db.execute("UPDATE attempt SET handle_json = json_set(handle_json, '$.boot_id', 'a boot') "
           "WHERE handle_json IS NOT NULL")
db.commit()
lines = "\n".join(db.iterdump()) + "\n"
# Command lines are kept; where programs lay on one machine is nobody's business.
lines = re.sub(r'"/[^"]*/(byol-sweep|[a-z0-9_]+\.sh)"', r'"\1"', lines)
(out / f"{version:04}.sql").write_text(lines)
said = {}
for sweep in ["fixture", "shared"]:
    said[sweep] = json.loads(subprocess.check_output([bin, "ls", sweep, "--json"]))["trials"]
(out / f"{version:04}.json").write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
print(f"{out}/{version:04}.sql, {len(lines)} bytes")
PYTHON
