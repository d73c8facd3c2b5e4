"""Refreshing a large store: nothing changed, one photograph changed, one annotation changed; beside the full build.

    python benchmarks/refresh.py [--fraction 2.53] [--folder DIR]

The source is a file of PACO-LVIS's shape (benchmarks/paco_like.py), by default with a million parts, and its photographs:
JPEGs of the right sizes, each with content of its own. Every step is the command that a user types, in a process of its own,
start of Python included; `--verify` hashes every file again. Afterwards the refreshed store is held against a build from
scratch of the changed source: the same version.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))
import paco_like

#: Different pictures of each size; what follows a JPEG's end makes each file another.
PICTURES = 16


def photographs(annotations: Path, folder: Path) -> int:
    """Writes the photographs that the file names; returns how many."""
    with annotations.open() as file:
        head = file.read(200_000_000).partition('"annotations": [')[0]
    names = re.findall(r'"width": (\d+), "height": (\d+), .*?"file_name": "([^"]+)"', head)
    generator = np.random.default_rng(1)
    made: dict[tuple[int, int], list[bytes]] = {}
    for w, h in ((640, 480), (480, 640)):
        made[w, h] = []
        for _ in range(PICTURES):
            small = generator.integers(0, 255, (h // 40, w // 40, 3), dtype=np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(small).resize((w, h), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=60)
            made[w, h].append(buffer.getvalue())
    for number, (w, h, name) in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made[int(w), int(h)][number % PICTURES] + number.to_bytes(8, "big"))
    return len(names)


def run(*arguments: str) -> tuple[float, str]:
    """Seconds of a command of `partonomy`, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "partonomy_data", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"partonomy {' '.join(arguments)}: {done.stderr}")
    return time.perf_counter() - start, done.stdout + done.stderr


def move_a_mask(path: Path) -> None:
    """Changes one annotation: the first object's polygon, by a pixel."""
    text = path.read_text()
    found = re.search(r'"segmentation": \[\[([\d.]+), ', text)
    assert found is not None
    changed = f'"segmentation": [[{max(0.0, float(found[1]) - 1.0)}, '
    path.write_text(text[: found.start()] + changed + text[found.end() :])


def steps(root: Path) -> str:
    """Where the newest run's time went."""
    newest = max((root / "runs").glob("*/run.json"))
    seconds = json.loads(newest.read_text())["report"]["seconds"]
    return ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if value >= 0.1)


def report(folder: Path, fraction: float) -> None:
    """Makes the source, measures, prints."""
    annotations = folder / "paco" / "annotations" / "paco_lvis_v1_train.json"
    if not annotations.exists():
        annotations.parent.mkdir(parents=True, exist_ok=True)
        print("made", paco_like.write(annotations, fraction), photographs(annotations, folder / "paco"), "photographs")
    with tempfile.TemporaryDirectory(dir=folder) as store:
        root, source = Path(store) / "store", f"paco={folder / 'paco'}"
        full, said = run("build", "--root", str(root), "--source", source)
        print(said.strip())
        rows = [("full build", full, steps(root))]

        def measure(name: str, *more: str) -> None:
            seconds, said = run("refresh", "--root", str(root), *more)
            nothing = "nothing has changed" in said
            rows.append((name, seconds, "nothing to do" if nothing else steps(root)))
            print(said.strip().splitlines()[0])

        measure("refresh, nothing changed")
        measure("refresh, nothing changed, --verify", "--verify")
        photograph = min((folder / "paco" / "train2017").iterdir())
        before, content = annotations.read_bytes(), photograph.read_bytes()
        try:
            photograph.write_bytes(content + b"1")
            measure("refresh, one photograph changed")
            move_a_mask(annotations)
            measure("refresh, one annotation changed")
            again, _ = run("build", "--root", str(Path(store) / "scratch"), "--source", source)
            rows.append(("the changed source, from scratch", again, ""))
            same = (root / "CURRENT").read_text() == (Path(store) / "scratch" / "CURRENT").read_text()
        finally:
            annotations.write_bytes(before)
            photograph.write_bytes(content)
    print(f"\n{'':<36}{'seconds':>9}{'of full':>9}  steps")
    for name, seconds, where in rows:
        print(f"{name:<36}{seconds:>9.1f}{seconds / full:>9.1%}  {where}")
    print("the refreshed store is" + (" " if same else " NOT ") + "what a build from scratch gives")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--fraction", type=float, default=2.53, help="of PACO-LVIS train's size (2.53: a million parts)"
    )
    parser.add_argument("--folder", type=Path, help="where the source is made and kept; a temporary one if not given")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        report(folder, options.fraction)


if __name__ == "__main__":
    main()
