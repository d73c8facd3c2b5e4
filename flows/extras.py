"""What needs an extra: the package `model`, whose libraries not everybody has who publishes data."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from partonomy_data.errors import UsageError

#: What the extra `model` brings, and the package can't do without.
_LIBRARIES: Final = ("torch", "transformers")


def ready(flow: str, module: str, name: str) -> Callable[..., Any]:
    """A function of the package `model`. Raises UsageError where it, or a library that it needs, is not installed."""
    missing = next((one for one in (*_LIBRARIES, "model", module) if find_spec(one) is None), None)
    if missing:
        raise _lacking(flow, missing)
    try:
        found: Callable[..., Any] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise _lacking(flow, error.name or module) from error
    return found


def _lacking(flow: str, what: str) -> UsageError:
    return UsageError(
        f"{flow} needs the [model] extra: {what} is not installed", mend="Run: pip install 'partonomy-data[model]'"
    )
