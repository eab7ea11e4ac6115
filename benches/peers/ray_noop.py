#!/usr/bin/env python3
"""Ray Tune's cost per trial where trials do nothing: as many trials, two at a time on two cores.

    ray_noop.py [--trials N] [--jobs N] [--fresh]

Trials share their actors, which is Ray's best; with --fresh each has a process of its own, as
byol-sweep's attempts do. The time to start Ray itself is not counted."""

import argparse
import os
import tempfile
import time

os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")

import ray
from ray import tune


def noop(config):
    tune.report({"value": config["x"]})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    ray.init(num_cpus=options.jobs, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(noop, {"cpu": 1}),
            param_space={"x": tune.grid_search(list(range(options.trials)))},
            tune_config=tune.TuneConfig(max_concurrent_trials=options.jobs, reuse_actors=not options.fresh),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        begun = time.monotonic()
        results = tuner.fit()
        took = time.monotonic() - begun
        assert len(results) == options.trials and results.num_errors == 0
    print(
        f"ray tune {ray.__version__}, {options.trials} no-op trials, {options.jobs} at a time, "
        f"{'a process each' if options.fresh else 'in shared actors'}: {1000 * took / options.trials:.2f} ms a trial",
        flush=True,
    )


if __name__ == "__main__":
    main()
