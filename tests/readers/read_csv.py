"""Opens a CSV export with pandas: folder, file of what must be found."""

import json
import sys
from pathlib import Path

import pandas

folder, wanted = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
trials = pandas.read_csv(folder / "trials.csv", float_precision="round_trip", keep_default_na=False, na_values=[""])
series = pandas.read_csv(folder / "series.csv", float_precision="round_trip")
assert trials["batch_size"].dtype == "int64", trials.dtypes
assert trials["linear_top1"].dtype == "float64", trials.dtypes
assert len(trials) == len(wanted["trials"])
for (_, row), want in zip(trials.iterrows(), wanted["trials"]):
    for name in ("trial", "key", "group", "seed", "state", "batch_size", "augment.remove"):
        assert row[name] == want[name], (name, row[name], want[name])
    assert json.loads(row["spec"]) == want["spec"]
    if want["linear_top1"] is None:
        assert pandas.isna(row["linear_top1"])
    else:
        assert row["linear_top1"] == want["linear_top1"]
    points = series[(series["key"] == want["key"]) & (series["metric"] == "loss")]
    assert points[["update", "value"]].values.tolist() == want["loss"]
