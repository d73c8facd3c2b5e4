"""The explorer under load: every page's time on the server, and the server's memory, with 50 users at once.

    python benchmarks/explore.py [--questions 5000000] [--parts 1000000] [--users 50] [--seconds 60] [--root STORE]

Without `--root` a store is made in a temporary folder: parts, objects and photographs in the numbers that all four sources have
together, and questions with choices of the usual length. The server is a process of its own. Each user opens a page, looks
at it for two to six seconds, and opens another, in proportions that people would; pictures are asked for as a browser asks. The
time is the server's, from the request's first byte to the answer's last, waiting for others included.
Targets: 200 ms at the 95th percentile for every kind of page, and 500 MB.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from html import unescape
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.made_up_explorer import make

#: View → how often a user goes there, of a hundred.
HABITS = {
    "": 4, "categories": 6, "category": 14, "part": 12, "graph": 8, "photographs": 10, "photograph": 16,
    "questions": 16, "question": 16, "explain": 4, "quarantine": 2, "reports": 1, "versions": 1, "sql": 2,
}  # fmt: skip
SQL = (
    "SELECT relation, count(*) FROM part_relations GROUP BY ALL",
    "SELECT * FROM part_graph WHERE frequency < 0.05 LIMIT 20",
)


class User(threading.Thread):
    """A user: a page, a pause, another page; what pages link to is where it goes next."""

    def __init__(self, base: str, start: str, seed: int, until: float, times: dict[str, list[float]]) -> None:
        super().__init__(daemon=True)
        self.base, self.start_page, self.until, self.times = base, start, until, times
        self.random = random.Random(seed)
        self.known: dict[str, list[str]] = defaultdict(list)
        self.errors: list[str] = []

    def run(self) -> None:
        """Until the time is over. Users come one after the other, not all in one moment."""
        time.sleep(self.random.uniform(0, 6))
        self.open(self.start_page)
        for view in HABITS:
            if view not in ("category", "part", "photograph", "question", "explain"):
                self.known[view].append(f"{self.start_page}{view}")
        while time.time() < self.until:
            time.sleep(self.random.uniform(2.0, 6.0))
            view = self.random.choices(list(HABITS), list(HABITS.values()))[0]
            addresses = self.known[view]
            if view == "sql":
                addresses = [f"{self.start_page}sql?q={urllib.parse.quote(self.random.choice(SQL))}"]
            if addresses:
                self.open(self.random.choice(addresses))

    def open(self, address: str) -> None:
        """A page, and four of its pictures."""
        text = self.get(address, re.sub(r".*/v/\w+/|\?.*", "", address) or "home")
        links = [unescape(one) for one in re.findall(r'(?:href|src)="([^"]+)"', text)]
        pictures = [one for one in links if "/picture?" in one or "/cut?" in one]
        for one in self.random.sample(pictures, min(4, len(pictures))):
            self.get(one, "a picture")
        for one in self.random.sample(links, min(40, len(links))):
            view = re.match(r"/v/\w+/(\w*)", one)
            if view and view[1] in HABITS and len(self.known[view[1]]) < 400:
                self.known[view[1]].append(one)

    def get(self, address: str, kind: str) -> str:
        """What is at an address, as text; its time is noted."""
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(self.base + address, timeout=60) as answer:
                content = answer.read()
        except OSError as error:
            self.errors.append(f"{address}: {error}")
            return ""
        self.times[kind].append(time.perf_counter() - started)
        return content.decode(errors="replace") if b"<html" in content[:200] else ""


def served(root: Path) -> tuple[subprocess.Popen[str], str, float]:
    """The server's process, its address, and the seconds until it listened with the version open."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "partonomy_data", "explore", "--root", str(root), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    base = process.stdout.readline().split("/ shows")[0]
    urllib.request.urlopen(f"{base}/static/icon.svg", timeout=600).read()
    return process, base, time.perf_counter() - started


def measure(root: Path, users: int, seconds: float) -> None:
    """Prints the percentiles by kind of page, and the memory."""
    process, base, took = served(root)
    try:
        watched = psutil.Process(process.pid)
        print(f"open after {took:.1f} s, {watched.memory_info().rss / 1e6:.0f} MB", flush=True)
        version = (root / "CURRENT").read_text().strip()
        times: dict[str, list[float]] = defaultdict(list)
        everyone = [User(base, f"/v/{version}/", seed, time.time() + seconds, times) for seed in range(users)]
        most = 0
        for user in everyone:
            user.start()
        while any(user.is_alive() for user in everyone):
            time.sleep(0.5)
            most = max(most, watched.memory_info().rss)
        print(f"{'milliseconds':14} {'n':>6} {'50 %':>7} {'95 %':>7} {'99 %':>7}")
        for kind, found in sorted(times.items()):
            ordered = sorted(found)
            at = [1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99)]
            print(f"{kind:14} {len(ordered):6} {at[0]:7.1f} {at[1]:7.1f} {at[2]:7.1f}")
        errors = [line for user in everyone for line in user.errors]
        print(f"most memory {most / 1e6:.0f} MB; errors {len(errors)} {errors[:3]}")
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Makes a store, or takes one, and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=5_000_000)
    parser.add_argument("--parts", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--root", type=Path)
    given = parser.parse_args()
    if given.root is not None:
        measure(given.root, given.users, given.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="partonomy-explore-") as folder:
        root = Path(folder) / "store"
        started = time.perf_counter()
        rows = make(root, n_questions=given.questions, n_parts=given.parts)
        print(f"{json.dumps(rows)} made in {time.perf_counter() - started:.0f} s", flush=True)
        measure(root, given.users, given.seconds)


if __name__ == "__main__":
    main()
