#!/usr/bin/env python3
"""Times byol-sweep beside lightly on the same libtorch, interleaved, on a machine that does nothing
else. Prints medians of both and the median of the ratios of pairs; a ratio above 1 is in our favour.

    make setup && cargo build --release && cargo bench --no-run
    python3 -m venv peer && peer/bin/pip install torch==2.11.0 torchvision lightly kornia
    benches/peers/training.py --python peer/bin/python --scripts FOLDER_OF_peer_byol.py

The peer's scripts train with lightly's public modules and print one line of JSON a measurement.
"""
import argparse
import glob
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def last_json(command, **env):
    out = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **env})
    return json.loads(out.stdout.strip().splitlines()[-1])


class Peer:
    def __init__(self, python, scripts):
        self.python, self.script = python, pathlib.Path(scripts) / "peer_byol.py"

    def __call__(self, *words):
        return last_json([self.python, str(self.script), *map(str, words)])


class Ours:
    def __init__(self, work):
        self.bin = ROOT / "target/release/byol-sweep"
        benches = glob.glob(str(ROOT / "target/release/deps/throughput-*"))
        self.bench = max((b for b in benches if not b.endswith(".d")), key=os.path.getmtime)
        self.work, self.runs = pathlib.Path(work), 0

    def step(self, encoder, batch, threads):
        return last_json([self.bench, "step", "byol", encoder, str(batch), str(threads)])["img_per_s"]

    def views(self):
        return last_json([self.bench, "views"], RAYON_NUM_THREADS="1")["img_per_s"]

    def sweep(self, encoder, batch, images, epochs, seeds, jobs):
        """Runs a sweep of its own; returns wall seconds and the trials' events."""
        self.runs += 1
        state = self.work / f"state{self.runs}"
        file = self.work / f"bench{self.runs}.toml"
        file.write_text(f"""
schema = 1
name = "bench"
[base]
data.name = "shapes"
data.shapes.train = {images}
data.shapes.test = 100
encoder.name = "{encoder}"
projector.hidden = 1024
projector.out = 256
predictor.hidden = 1024
epochs = {epochs}
update_batch_size = {batch}
batch_size = {batch}
augment.preset = "byol_small"
[replicates]
seeds = {list(range(seeds))}
[eval]
linear = {{ epochs = 1, batch_size = 256, learning_rates = [0.1], holdout = 0.2 }}
""")
        start = time.monotonic()
        subprocess.run([self.bin, "--state-dir", state, "--quiet", "run", "-j", str(jobs), file],
                       check=True, capture_output=True)
        wall = time.monotonic() - start
        events = []
        for path in glob.glob(f"{state}/trials/*/*/events.jsonl"):
            events.append([json.loads(line) for line in open(path)])
        return wall, events

    def whole_run(self, encoder, batch, images, epochs):
        """Images a second of the last epochs, by the loop itself with its loader, two threads; and
        the peak of the process in MB."""
        _, (events,) = self.sweep(encoder, batch, images, epochs, seeds=1, jobs=1)
        values = [e["event"]["values"] for e in events if e["event"]["kind"] == "metrics"]
        memory = max(v["peak_resident_bytes"] for v in values) / 1e6
        return statistics.median(v["images_per_s"] for v in values[1:] or values), memory

    def first_step(self, encoder, batch):
        """Seconds from the start of the process to the end of its first update."""
        wall, (events,) = self.sweep(encoder, batch, images=batch, epochs=1, seeds=1, jobs=1)
        first = next(e["at_ms"] for e in events if e["event"]["kind"] == "metrics")
        return (first - events[0]["at_ms"]) / 1000 + self.load_seconds()

    def load_seconds(self):
        start = time.monotonic()
        subprocess.run([ROOT / "target/release/byol-sweep-worker", "--version"], check=True,
                       capture_output=True)
        return time.monotonic() - start


def pairs(name, rounds, ours, peers, better="more"):
    """Runs ours and each peer in turn; the best peer of a round is what ours is compared with."""
    mine, theirs, ratios = [], [], []
    for _ in range(rounds):
        a = ours()
        b = [peer() for peer in peers]
        best = max(b) if better == "more" else min(b)
        mine.append(a)
        theirs.append(best)
        ratios.append(a / best if better == "more" else best / a)
    row = [statistics.median(x) for x in (mine, theirs, ratios)]
    print(f"{name:<58} {row[0]:>10.2f} {row[1]:>10.2f} {row[2]:>8.2f}x", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="of the environment that has lightly")
    parser.add_argument("--scripts", required=True, help="folder of peer_byol.py")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    peer = Peer(args.python, args.scripts)
    rounds = args.rounds
    with tempfile.TemporaryDirectory() as work:
        ours = Ours(work)
        print(f"{'median of ' + str(rounds) + ' interleaved pairs':<58} {'ours':>10} {'peer':>10} {'ratio':>9}")

        def aug(kind):
            return peer("--mode", "aug", "--aug", kind, "--batch", 256, "--steps", 6, "--threads", 1)["img_per_s"]

        pairs("two views, 32 px, no blur, 1 core, against PIL (images/s)", rounds, ours.views,
              [lambda: aug("lightly_pil")])
        pairs("two views, 32 px, no blur, 1 core, against kornia", rounds, ours.views, [lambda: aug("kornia")])

        for encoder, arch, batch, steps in [("convnet", "convnet4", 64, 8), ("convnet", "convnet4", 256, 4),
                                            ("resnet18", "resnet18c", 64, 3)]:
            def step(variant, arch=arch, batch=batch, steps=steps):
                return peer("--mode", "model", "--arch", arch, "--batch", batch, "--steps", steps,
                            "--variant", variant, "--threads", 2)["img_per_s"]
            pairs(f"training step, {encoder}, batch {batch}, 2 threads (images/s)", rounds,
                  lambda e=encoder, b=batch: ours.step(e, b, 2),
                  [lambda s=step: s("fp32"), lambda s=step: s("cl")])

        memory = {}
        for encoder, arch, batch, images, steps in [("convnet", "convnet4", 256, 512, 4),
                                                    ("resnet18", "resnet18c", 64, 64, 2)]:
            def whole(e=encoder, b=batch, n=images):
                rate, memory["ours", e] = ours.whole_run(e, b, n, 3)
                return rate

            def tutorial(workers, e=encoder, arch=arch, batch=batch, steps=steps):
                found = peer("--mode", "e2e", "--arch", arch, "--batch", batch, "--workers", workers,
                             "--steps", steps)
                memory["peer", e] = found["rss_peak_mb"]
                return found["img_per_s"]

            pairs(f"whole run, {encoder}, batch {batch} (images/s)", rounds, whole,
                  [lambda t=tutorial: t(0), lambda t=tutorial: t(2)])
            print(f"{'peak memory of it (MB)':<58} {memory['ours', encoder]:>10.0f} "
                  f"{memory['peer', encoder]:>10.0f} {memory['peer', encoder] / memory['ours', encoder]:>8.2f}x", flush=True)

        def cold():
            start = time.monotonic()
            peer("--mode", "cold", "--arch", "convnet4", "--batch", 64)
            return time.monotonic() - start

        pairs("exec to the end of the first step, convnet (s)", rounds, lambda: ours.first_step("convnet", 64),
              [cold], better="less")

        def eight():
            start = time.monotonic()
            for seed in range(8):
                peer("--mode", "e2e", "--arch", "convnet4", "--batch", 64, "--steps", 30, "--warmup", 0,
                     "--workers", 2, "--seed", seed)
            return time.monotonic() - start

        pairs("eight trials of 30 updates of 64, convnet, all told (s)", 1,
              lambda: ours.sweep("convnet", 64, images=960, epochs=2, seeds=8, jobs=2)[0], [eight], better="less")


if __name__ == "__main__":
    main()
