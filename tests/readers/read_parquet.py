"""Opens a Parquet export with pyarrow and pandas: folder, file of what must be found."""

import json
import sys
from pathlib import Path

import pandas
import pyarrow
from pyarrow import parquet

folder, wanted = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
for table in ("trials", "series"):
    said = parquet.read_schema(folder / f"{table}.parquet").metadata
    assert said[b"byol_sweep.version"].decode() == wanted["version"]
    assert json.loads(said[b"byol_sweep.sweep"])["sweep"] == "tiny"
    columns = json.loads(said[b"byol_sweep.columns"])
    assert set(columns) == set(parquet.read_schema(folder / f"{table}.parquet").names)
schema = parquet.read_schema(folder / "trials.parquet")
columns = json.loads(schema.metadata[b"byol_sweep.columns"])
assert columns["linear_top1"]["unit"] == "fraction", columns
assert columns["train_seconds"]["unit"] == "s", columns
assert schema.field("batch_size").type == pyarrow.int64()
assert schema.field("augment.remove").type == pyarrow.string()
assert schema.field("linear_top1").type == pyarrow.float64()
schema = parquet.read_schema(folder / "series.parquet")
assert [str(kind) for kind in schema.types] == ["int64", "string", "string", "int64", "double"]
assert not any(schema.field(name).nullable for name in schema.names)

trials = parquet.read_table(folder / "trials.parquet").to_pylist()
series = pandas.read_parquet(folder / "series.parquet")
assert len(trials) == len(wanted["trials"])
for row, want in zip(trials, wanted["trials"]):
    for name in ("trial", "key", "group", "seed", "state", "batch_size", "augment.remove", "linear_top1"):
        assert row[name] == want[name], (name, row[name], want[name])
    assert json.loads(row["spec"]) == want["spec"]
    points = series[(series["key"] == want["key"]) & (series["metric"] == "loss")]
    assert points[["update", "value"]].values.tolist() == want["loss"]
