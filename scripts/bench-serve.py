"""Times the live page in headless Chromium; scripts/bench-serve.sh calls it.

usage: bench-serve.py PROGRAM WORKER STATE_OF_10000 FOLDER
"""

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

PROGRAM, WORKER, LARGE, FOLDER = (str(Path(word).resolve()) for word in sys.argv[1:5])

SWITCHES = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Settings of runs, each with five seeds: of trials that take both cores, of trials that leave them
# idle for most of the time, and of one whose cells are timed.
BUSY_CELLS = 800
IDLE_CELLS = 100
SEEN_CELLS = 60

SWEEP = """schema = 1
name = "{name}"
[base]
data.name = "shapes"
update_batch_size = 64
batch_size = 64
[grid]
tau_base = {{ linspace = [0.9, 0.999, {cells}] }}
[replicates]
seeds = [0, 1, 2, 3, 4]
"""


class Browser:
    """One window, driven by chromedriver."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(dir=FOLDER, ignore_cleanup_errors=True)
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                port = int(line.split("port")[1].strip().rstrip("."))
                break
        self.session = f"http://127.0.0.1:{port}/session"
        options = {"args": SWITCHES + [f"--user-data-dir={self.profile.name}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.session += "/" + self.ask("", wanted)["sessionId"]

    def ask(self, path, body=None, method="POST"):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.session + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        return json.load(urllib.request.urlopen(request, timeout=120))["value"]

    def go(self, address):
        self.ask("/url", {"url": address})

    def js(self, script):
        return self.ask("/execute/sync", {"script": script, "args": []})

    def close(self):
        self.ask("", method="DELETE")
        self.driver.terminate()
        self.driver.wait()
        self.profile.cleanup()


class Serving:
    """The page of a state folder."""

    def __init__(self, state):
        command = [PROGRAM, "--state-dir", state, "serve", "--port", "0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.address = self.process.stdout.readline().split("/#")[0]

    def close(self):
        self.process.terminate()
        self.process.wait()


def milliseconds(values):
    return f"median {statistics.median(values):.0f} ms, largest {max(values):.0f} ms, of {len(values)}"


def first_paint():
    serving, browser = Serving(LARGE), Browser()
    paint = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    for name, path in [
        ("sweeps", "/"),
        ("grid", "/sweeps/large"),
        ("grid, page 9", "/sweeps/large?page=9"),
        ("list", "/sweeps/large?view=list"),
        ("filtered", "/sweeps/large?where=tau_base%20%3E%200.95"),
    ]:
        times = []
        for _ in range(12):
            browser.go("about:blank")
            browser.go(serving.address + path)
            while (at := browser.js(paint)) is None:
                time.sleep(0.02)
            times.append(at)
        first, *others = times
        print(f"first paint, {name:<13} {milliseconds(others)}; the very first {first:.0f} ms")
    browser.close()
    serving.close()


def run(state, name, cells, worker=WORKER):
    file = Path(FOLDER) / f"{name}.toml"
    file.write_text(SWEEP.format(name=name, cells=cells))
    command = [PROGRAM, "--quiet", "--state-dir", state, "--worker", worker, "run", str(file)]
    return subprocess.Popen(command + ["--devices", "cpu", "-j", "2"])


def later(seconds):
    """Makes a worker that waits before it does what the other does at once."""
    worker = Path(FOLDER) / "later.sh"
    worker.write_text(f'#!/bin/sh\nsleep {seconds}\nexec "{WORKER}" "$@"\n')
    worker.chmod(0o755)
    return str(worker)


class Client(threading.Thread):
    """Asks as a page does, and draws nothing: what a browser on another machine asks of this one."""

    def __init__(self, address, name):
        super().__init__(daemon=True)
        self.address, self.page = address, f"{address}/sweeps/{name}"

    def run(self):
        for line in urllib.request.urlopen(f"{self.address}/events"):
            if line.startswith(b"data:"):
                try:
                    answer = urllib.request.urlopen(self.page)
                except OSError:
                    # Not planned yet, or over.
                    continue
                answer.read()
                time.sleep(int(answer.headers["x-wait"]) / 1000)


WATCH = """
window.seen = {};
const look = () => {
  for (const cell of document.querySelectorAll('.cell.done')) window.seen[cell.id] ??= Date.now();
};
look();
window.before = Object.keys(window.seen);
const all = {subtree: true, childList: true, attributes: true};
new MutationObserver(look).observe(document.body, all);
"""


def throughput(trials, cells, worker):
    kinds = ["nobody", "three clients", "three browsers"]
    rates = {kind: [] for kind in kinds}
    for turn in range(3):
        for kind in kinds[turn:] + kinds[:turn]:
            name = f"{trials}-{turn}-{kinds.index(kind)}".replace(" ", "-")
            rates[kind].append(watched_run(name, kind, cells, worker))
    for kind, each in rates.items():
        words = ", ".join(f"{rate:.1f}" for rate in each)
        print(f"{trials} a second while watched by {kind}: {words}")


def watched_run(name, kind, cells, worker):
    """Returns the trials a second of a run from the moment on when all who watch it have its page."""
    state = f"{FOLDER}/{name}"
    # A first sweep of its own, so that there is something to open.
    run(state, "first", 2).wait()
    serving = None if kind == "nobody" else Serving(state)
    browsers = [Browser() for _ in range(3)] if kind == "three browsers" else []
    running = run(state, name, cells, worker)
    if kind == "three clients":
        for _ in range(3):
            Client(serving.address, name).start()
    for browser in browsers:
        open_page(browser, serving, name)
    time.sleep(1)
    begun = 1000 * time.time()
    if running.wait() != 0:
        sys.exit(f"the run {name} failed")
    for browser in browsers:
        browser.close()
    if serving:
        serving.close()
    ends = [at for at in ended(state, name).values() if at >= begun]
    if len(ends) < cells:
        sys.exit(f"the run {name} was nearly over before it was timed")
    return 1000 * len(ends) / (max(ends) - begun)


def open_page(browser, serving, name):
    while browser.js("return document.querySelector('h1')?.textContent") != name:
        browser.go(f"{serving.address}/sweeps/{name}")


def from_end_to_cell():
    """Times a run's cells on three screens."""
    state = f"{FOLDER}/seen"
    run(state, "first", 2).wait()
    serving = Serving(state)
    browsers = [Browser() for _ in range(3)]
    running = run(state, "seen", SEEN_CELLS)
    for browser in browsers:
        open_page(browser, serving, "seen")
        # When each cell was seen to fill in.
        browser.js(WATCH)
    if running.wait() != 0:
        sys.exit("the run failed")
    time.sleep(2)
    times = []
    ends = ended(state, "seen")
    for browser in browsers:
        seen, before = browser.js("return [window.seen, window.before]")
        browser.close()
        times += [at - ends[int(cell[1:])] for cell, at in seen.items() if cell not in before]
    serving.close()
    times.sort()
    print(
        f"from the end of an attempt to its cell: median {statistics.median(times):.0f} ms,"
        f" 95 % {times[len(times) * 95 // 100]:.0f} ms, largest {times[-1]:.0f} ms,"
        f" of {len(times)}"
    )


def ended(state, name):
    """Returns when each trial's attempt ended, in milliseconds of the clock, by its number."""
    query = """SELECT l.ordinal, a.ended_ms FROM attempt a
               JOIN sweep_trial l ON l.trial_id = a.trial_id
               JOIN sweep s ON s.id = l.sweep_id WHERE s.name = ?"""
    return dict(sqlite3.connect(f"{state}/byol-sweep.db").execute(query, (name,)).fetchall())


if __name__ == "__main__":
    first_paint()
    from_end_to_cell()
    throughput("trials of nothing", BUSY_CELLS, WORKER)
    throughput("trials of 50 ms", IDLE_CELLS, later(0.05))
