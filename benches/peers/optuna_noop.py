#!/usr/bin/env python3
"""Optuna's cost per trial where trials do nothing: as many trials, two workers at a time, sharing a
study in SQLite or in a journal file.

    optuna_noop.py [--trials N] [--jobs N] [--process]

With --process each trial also starts a process that does nothing, as byol-sweep does for each
attempt; without, trials run inside the two workers. Random sampling, so that no sampler's thinking
is measured."""

import argparse
import multiprocessing
import os
import subprocess
import tempfile
import time

import optuna


def storage_of(kind, path):
    if kind == "sqlite":
        return f"sqlite:///{path}.db"
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(f"{path}.log"))


def objective(trial, process):
    value = trial.suggest_float("x", 0.0, 1.0)
    if process:
        subprocess.run(["/bin/true"], check=True)
    return value


def work(kind, path, trials, process):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(
        study_name="noop", storage=storage_of(kind, path), sampler=optuna.samplers.RandomSampler()
    )
    study.optimize(lambda trial: objective(trial, process), n_trials=trials)


def measure(kind, trials, jobs, process):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "study")
        optuna.create_study(study_name="noop", storage=storage_of(kind, path))
        context = multiprocessing.get_context("spawn")
        begun = time.monotonic()
        workers = [
            context.Process(target=work, args=(kind, path, trials // jobs, process))
            for _ in range(jobs)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0, worker.exitcode
        took = time.monotonic() - begun
        study = optuna.load_study(study_name="noop", storage=storage_of(kind, path))
        done = len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE], deepcopy=False))
        assert done == trials // jobs * jobs, done
        return took / done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--process", action="store_true")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    how = "a process each" if options.process else "in the workers"
    for kind in ["sqlite", "journal"]:
        each = measure(kind, options.trials, options.jobs, options.process)
        print(
            f"optuna {optuna.__version__}, {kind}, {options.trials} no-op trials, "
            f"{options.jobs} at a time, {how}: {1000 * each:.2f} ms a trial",
            flush=True,
        )


if __name__ == "__main__":
    main()
