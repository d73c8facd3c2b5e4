"""Fixtures that all tests share."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

# Great Expectations' pages take ten seconds a build; tests/validation writes them where they are what is tested.
os.environ["PARTONOMY_DATA_DOCS"] = "0"

# A shell has what it starts in the background ignore Ctrl-C, and its children too; tests that send it need it heeded.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A loaded machine must not make a property fail.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real samples: $PARTONOMY_SAMPLES, else `shared/data` beside the checkout. Skips where absent."""
    named = os.environ.get("PARTONOMY_SAMPLES")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real samples are not here (set PARTONOMY_SAMPLES to their folder)")
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """`once(name, make)`: a folder that `make` fills, once for all the processes that share the tests."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        target = base / name
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (base / f"{name}.done").exists():
                make(target)
                (base / f"{name}.done").touch()
        return target

    return folder


@pytest.fixture(scope="session")
def demo_store(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The root of a store of the small demo world, as `partonomy demo` makes it, its sources in `root/demo`. Read only."""

    def make(root: Path) -> None:
        from partonomy_data import BuildConfig, SourceSetting, build
        from partonomy_data.demo import write

        world = write(root / "demo", size="small")
        sources = {name: SourceSetting(str(path)) for name, path in sorted(world.sources.items())}
        build(root, BuildConfig(sources=sources, workers=1))

    return once("demo-store", make)
