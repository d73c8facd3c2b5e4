"""Failures that were foreseen: wrong input, or data that may not be published. They are told in one line, with no traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Failed

from partonomy_data.errors import PartonomyError, UsageError
from partonomy_data.validation.job import ValidationError

T = TypeVar("T")

#: What stays wrong however often it is tried.
REFUSED: Final = (UsageError, ValidationError)

#: Where Prefect's engine writes the traceback of what a failed state holds.
_LOGGERS: Final = ("prefect.flow_runs", "prefect.engine")


def refusing(call: Callable[[], T]) -> T | State[Any]:
    """What `call` returns; what is refused as a failed state with its one line."""
    try:
        return call()
    except REFUSED as error:
        return Failed(message=str(error), data=error)


def failed(error: PartonomyError) -> State[Any]:
    """How a flow ends for a failure that was foreseen. The state's line is logged; a traceback of it isn't."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_unforeseen)
    return Failed(message=str(error), data=error)


def result(state: State[Any]) -> Any:
    """A task's result. Raises what it was refused for, or whatever made it fail."""
    if isinstance(state.data, REFUSED):
        raise state.data
    return state.result()


def _unforeseen(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], PartonomyError)
