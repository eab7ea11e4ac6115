"""Opens exported weights with safetensors' own reader: file, file of what must be found."""

import json
import sys
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import load_file

path, wanted = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
tensors = load_file(path)
found = {name: [list(tensor.shape), str(tensor.dtype)] for name, tensor in tensors.items()}
assert found == wanted["tensors"], set(found) ^ set(wanted["tensors"])
assert (tensors["bn1.running_var"] == 1).all() and (tensors["bn1.weight"] == 1).all()
assert 0.01 < tensors["conv1.weight"].std() < 1
with safe_open(path, framework="numpy") as file:
    said = file.metadata()
assert said["format"] == "pt"
assert said["byol_sweep.version"] == wanted["version"]
assert json.loads(said["byol_sweep.encoder"])["depth"] == 50
assert len(json.loads(said["byol_sweep.mean"])) == 3
assert "byol_sweep.differences" not in said, said
