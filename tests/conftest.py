"""Fixtures that all tests share."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.helpers import stores
from tests.helpers.chromium import launched

# Great Expectations' pages take ten seconds a build; tests/validation writes them where they are what is tested.
os.environ["PARTONOMY_DATA_DOCS"] = "0"

# As many processes run tests as there are cores; each of them with as many threads as that would only wait for the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell has what it starts in the background ignore Ctrl-C, and its children too; tests that send it need it heeded.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A loaded machine must not make a property fail. `make soak` tries many more examples.
hypothesis.settings.register_profile("default", deadline=None, max_examples=30)
hypothesis.settings.register_profile("long", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("default")


#: Folders of tests that take long, one by one or together.
LONG = ("flows", "pipeline", "training")


# What is imported and collected stays until the end. Looking through it for garbage, while it comes and then again whenever
# a test makes many objects, takes each process some ten seconds.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on there may be garbage, but not among what was there before."""
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """As the process ends, libraries look for what is left of theirs; they are to find it collected."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """Files are not forced to disk, in this process nor in those that it starts: no test cuts the power.

    A build does that some four hundred times. That it is asked for, when, and what comes of its failing is tested with
    `os.fsync`, or what calls it, replaced by what notes the calls or fails.
    """
    unforced = str(Path(__file__).parent / "helpers" / "unforced")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setenv("PYTHONPATH", unforced, prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium. Skips where there is none."""
    with launched() as made:
        yield made


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real samples: $PARTONOMY_SAMPLES, else `shared/data` beside the checkout. Skips where absent."""
    named = os.environ.get("PARTONOMY_SAMPLES")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real samples are not here (set PARTONOMY_SAMPLES to their folder)")
    return folder


@pytest.fixture(scope="session")
def english() -> Any:
    """A general library of English nouns. Its import takes four seconds, so that only who needs it has it."""
    import inflect

    return inflect.engine()


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
    return stores.demo(once)
