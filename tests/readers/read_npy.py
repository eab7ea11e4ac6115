"""Opens exported features with numpy and judges them as the evaluation did: folder, its results."""

import json
import sys
from pathlib import Path

import numpy

folder, results = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
train, train_labels, test, test_labels = (
    numpy.load(folder / f"{name}.npy", mmap_mode="r")
    for name in ("train_features", "train_labels", "test_features", "test_labels")
)
assert train.dtype == test.dtype == numpy.float32
assert train_labels.dtype == test_labels.dtype == numpy.int64
assert train.shape == (64, 32) and test.shape == (40, 32), (train.shape, test.shape)
assert train_labels.shape == (64,) and test_labels.shape == (40,)
classes = json.loads((folder / "classes.json").read_text())
assert set(train_labels) | set(test_labels) <= set(range(len(classes)))

# Weighted kNN with k = 5 and temperature 0.1, as the sweep asks.
train, test = (x / numpy.linalg.norm(x, axis=1, keepdims=True) for x in (train, test))
cosines = test @ train.T
nearest = numpy.argsort(-cosines, axis=1)[:, :5]
votes = numpy.zeros((len(test), len(classes)))
for image, neighbours in enumerate(nearest):
    for neighbour in neighbours:
        votes[image, train_labels[neighbour]] += numpy.exp(cosines[image, neighbour] / 0.1)
top1 = (votes.argmax(axis=1) == test_labels).mean()
assert abs(top1 - results["knn_top1"]) < 0.5 / len(test), (top1, results["knn_top1"])
