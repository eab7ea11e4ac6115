"""Opens an export of JSON lines with json and pandas: folder, file of what must be found."""

import json
import sys
from pathlib import Path

import pandas

folder, wanted = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
with (folder / "trials.jsonl").open() as lines:
    trials = [json.loads(line) for line in lines]
series = pandas.read_json(folder / "series.jsonl", lines=True, precise_float=True)
assert len(trials) == len(wanted["trials"])
for row, want in zip(trials, wanted["trials"]):
    for name in ("trial", "key", "group", "seed", "state", "batch_size", "augment.remove", "spec"):
        assert row[name] == want[name], (name, row[name], want[name])
    assert row.get("linear_top1") == want["linear_top1"]
    points = series[(series["key"] == want["key"]) & (series["metric"] == "loss")]
    assert points["update"].tolist() == [update for update, _ in want["loss"]]
    assert points["value"].tolist() == [value for _, value in want["loss"]]
