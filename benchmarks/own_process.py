"""A benchmark's jobs, each in a process of its own, so that their peaks of memory can be told apart."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any


def fresh(script: str, job: str, *arguments: Any) -> dict[str, Any]:
    """Runs `script --job JOB …`, and gives the JSON of the last line that it prints. Ends the benchmark where it fails."""
    command = [sys.executable, script, "--job", job, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"it failed; run: {' '.join(command)}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_mb() -> float:
    """The largest resident set of this process so far, in MB of 10⁶ bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux `ru_maxrss` also counts what the process was before it became this program: its parent's.
        held = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(held.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
