"""What a store's runs say of a version: builds, reports of checks, accounts of a language model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from partonomy_data.store.layout import Layout

#: Runs that are looked through for reports, the latest first, and the size of a report that is read.
MOST_RUNS: Final = 100
LARGEST: Final = 20_000_000


def reports_of(root: Path, version: str, rows: Mapping[str, int], kind: str) -> Iterator[dict[str, Any]]:
    """The reports of a kind (`validation`, `audit`) on a version, the latest first: `run` and what is `told`.

    A build says which version it made, and an audit which it read; of a check by itself the numbers of rows tell (`rows`, by
    table). Reports that can't be read are left out.
    """
    runs = Layout(root).runs
    folders = sorted((path for path in runs.iterdir() if path.is_dir()), reverse=True) if runs.is_dir() else []
    for folder in folders[:MOST_RUNS]:
        told = _read(folder / kind / f"{kind}.json")
        if told is None:
            continue
        run = _report(folder / "run.json")
        if run.get("version") == version or (not run and _is_of(told, version, rows)):
            yield {"run": folder.name, "told": told}


def _is_of(told: Mapping[str, Any], version: str, rows: Mapping[str, int]) -> bool:
    if f"version {version}" in str(told.get("source", "")):
        return True
    return bool(told.get("rows")) and told["rows"] == dict(rows)


def accounts(root: Path, version: str) -> Iterator[dict[str, Any]]:
    """What the builds of a version say of the language model that they asked, the latest first: `run` and what is `told`."""
    for path in sorted(Layout(root).runs.glob("*/run.json"), reverse=True)[:MOST_RUNS]:
        report = _report(path)
        if report.get("version") == version and report.get("language_model"):
            yield {"run": path.parent.name, "told": report["language_model"]}


def builds(root: Path, version: str) -> list[str]:
    """The names of the runs that built a version, or found it unchanged, the first one first."""
    paths = sorted(Layout(root).runs.glob("*/run.json"))
    return [path.parent.name for path in paths if _report(path).get("version") == version]


def _report(path: Path) -> dict[str, Any]:
    """What a build reports of itself; empty where it can't be read."""
    told = (_read(path) or {}).get("report")
    return told if isinstance(told, dict) else {}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > LARGEST:
            return None
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):  # not there, or cut off by a run that was killed
        return None
    return told if isinstance(told, dict) else None
