"""The demo world's store, which is made once, and stores that tests may write to, made from shared ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from partonomy_data.store.files import link_tree


def demo(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The root of a store of the small demo world, as `partonomy demo` makes it, its sources in `root/demo`. Read only."""

    def make(root: Path) -> None:
        from partonomy_data import BuildConfig, SourceSetting, build
        from partonomy_data.demo import write

        world = write(root / "demo", size="small", processes=2)
        sources = {name: SourceSetting(str(path)) for name, path in sorted(world.sources.items())}
        build(root, BuildConfig(sources=sources, workers=1))

    return once("demo-store", make)


def linked(store: Path, root: Path) -> Path:
    """A store in `root` with another's versions and runs: its files are the other's, and never written to. Returns `root`."""
    for name in ("versions", "runs"):
        link_tree(store / name, root / name)
    (root / "CURRENT").write_bytes((store / "CURRENT").read_bytes())
    return root
