"""Stores that tests may write to, made from shared ones."""

from __future__ import annotations

from pathlib import Path

from partonomy_data.store.files import link_tree


def linked(store: Path, root: Path) -> Path:
    """A store in `root` with another's versions and runs: its files are the other's, and never written to. Returns `root`."""
    for name in ("versions", "runs"):
        link_tree(store / name, root / name)
    (root / "CURRENT").write_bytes((store / "CURRENT").read_bytes())
    return root
