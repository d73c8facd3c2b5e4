"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """Has this process end with the one that started it, even when that one is killed. For a process pool's initializer."""
    parent = parent_process()
    assert parent is not None, "only a process that another one started ends with it"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
