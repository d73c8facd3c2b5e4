"""What is installed, missing or misconfigured, and how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from partonomy_data.errors import StoreError

#: Extra → the packages that it brings and its commands need.
EXTRAS = {
    "flows": ("prefect", "fastapi"),
    "validation": ("great-expectations",),
    "llm": ("openai",),
    "model": ("torch", "torchvision", "transformers", "peft", "accelerate", "segment-anything"),
    "explore": ("fastapi", "jinja2", "uvicorn"),
    "dask": ("distributed", "prefect-dask"),
    "export": ("datasets",),
    "s3": ("botocore",),
}
BASE = ("duckdb", "msgspec", "numpy", "pillow", "pyarrow", "pycocotools", "scipy")
LEAST_FREE = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    bad: bool
    what: str
    mend: str = ""

    def line(self) -> str:
        """As the command prints it."""
        mark = "MEND" if self.bad else "ok  "
        return f"{mark}  {self.what}" + (f"  →  {self.mend}" if self.mend else "")


def examine(root: Path) -> list[Finding]:
    """Looks at Python, the packages, the store and the disk."""
    return [_python(), *_base(), *_extras(), *_prefect(), _store(root), _disk(root)]


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        sys.version_info < (3, 11), f"Python {found}", "" if sys.version_info >= (3, 11) else "use 3.11 or newer"
    )


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _base() -> list[Finding]:
    missing = [package for package in BASE if _installed(package) is None]
    if missing:
        return [Finding(True, f"missing packages: {', '.join(missing)}", "pip install partonomy-data")]
    return [Finding(False, "base packages: " + ", ".join(f"{package} {_installed(package)}" for package in BASE))]


def _extras() -> list[Finding]:
    findings = []
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if _installed(package) is None]
        if missing:
            line = f"extra [{extra}] not installed ({', '.join(missing)})"
            findings.append(Finding(False, line, f"if you need it: pip install 'partonomy-data[{extra}]'"))
        else:
            findings.append(Finding(False, f"extra [{extra}] installed"))
    return findings


def _prefect() -> list[Finding]:
    prefect, fastapi = _installed("prefect"), _installed("fastapi")
    if prefect is None or fastapi is None:
        return []
    numbers = tuple(int(part) for part in fastapi.split(".")[:2])
    if prefect.startswith("3.8.") and numbers >= (0, 151):
        line = f"Prefect {prefect} can't start its server with fastapi {fastapi}"
        return [Finding(True, line, "pip install 'fastapi<0.151'")]
    where = os.environ.get("PREFECT_API_URL")
    return [
        Finding(False, f"Prefect {prefect}, " + (f"server at {where}" if where else "a temporary server for each run"))
    ]


def _store(root: Path) -> Finding:
    from partonomy_data.store import versions

    try:
        found = versions(root)
    except StoreError as error:
        return Finding(False, f"no store at {root} ({error.what})", "partonomy build, or partonomy demo, makes one")
    current = [info for info in found if info.current]
    damaged = [info for info in found if info.damage]
    if damaged:
        return Finding(True, f"version {damaged[0].version}: {damaged[0].damage}", "roll back, or build again")
    if not current:
        return Finding(True, f"the store at {root} has no current version", "partonomy rollback VERSION")
    return Finding(False, f"store at {root}: {len(found)} version(s), current {current[0].version}")


def _disk(root: Path) -> Finding:
    place = root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Finding(free < LEAST_FREE, f"{free / 1e9:.0f} GB free at {place}", "make room" if free < LEAST_FREE else "")
