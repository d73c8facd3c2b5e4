"""One piece of work by several processes of this machine, which meet by `torch.distributed`'s environment variables.

As `torchrun` does it; but what goes wrong in one of them is raised here as it is, in one clear line, and the others end.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from typing import Any, Final

import torch
from torch import distributed, multiprocessing
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.multiprocessing.spawn import ProcessException, start_processes

from model.plum.errors import ModelError
from partonomy_data.errors import PartonomyError

_HERE: Final = "127.0.0.1"


def together(work: Callable[..., object], arguments: tuple[Any, ...], processes: int) -> None:
    """Calls `work(*arguments)` in so many new processes, each with its share of the cores; all that is given must be picklable.

    They end with this one, however it ends. Raises what the first that fails raises, if it is one of the project's errors, and
    ModelError else; the others are then ended.
    """
    # They meet here: a port that nobody else can take meanwhile, as this process holds it from the start.
    store = TCPStore(_HERE, 0, processes, is_master=True, wait_for_workers=False)
    told = multiprocessing.get_context("spawn").SimpleQueue()
    with _quiet():
        context = start_processes(  # type: ignore[no-untyped-call]
            _enter, (work, arguments, processes, store.port, told), processes, join=False, start_method="spawn"
        )
    assert context is not None, "only a call that waits for its processes returns nothing"
    try:
        # That others are ended is no news beside why.
        with _unlogged(logging.getLogger("torch.multiprocessing.spawn")):
            while not context.join():
                pass
    except ProcessException as error:
        if not told.empty():
            raise told.get() from None
        raise ModelError(f"a process of several ended: {_last_line(error)}") from error
    finally:
        for one in context.processes:
            if one.is_alive():
                one.kill()


@contextmanager
def _unlogged(logger: logging.Logger) -> Iterator[None]:
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Has processes that are started meanwhile keep torch's warnings about how they share their work to themselves.

    It reads the variable as it is loaded; one that is set already wins.
    """
    name = "TORCH_CPP_LOG_LEVEL"
    if name in os.environ:
        yield
        return
    os.environ[name] = "ERROR"
    try:
        yield
    finally:
        del os.environ[name]


def _enter(
    rank: int,
    work: Callable[..., object],
    arguments: tuple[Any, ...],
    processes: int,
    port: int,
    told: SimpleQueue[PartonomyError],
) -> None:
    # Ctrl-C reaches all of a terminal's processes; the one that started these ends them.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.update(
        {
            "MASTER_ADDR": _HERE,
            "MASTER_PORT": str(port),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes),
            # The place where they meet is held by the process that started them, as torch's own launcher does it.
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": "0",
        }
    )
    if not torch.cuda.is_available():
        os.environ["ACCELERATE_USE_CPU"] = "true"
    threads = max(1, (os.cpu_count() or 1) // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    torch.set_num_threads(threads)
    try:
        work(*arguments)
    except PartonomyError as error:
        told.put(error)
        raise
    except Exception as error:
        # Before the others find that this one is gone, which is all that they could tell.
        told.put(ModelError(f"a process of several ended: {type(error).__name__}: {error}".splitlines()[0]))
        raise
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _last_line(error: BaseException) -> str:
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
