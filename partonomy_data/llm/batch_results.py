"""What a batch brought: lines of its files of results, and what each of them is to its request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final, TypeAlias

import msgspec

from partonomy_data.llm.batch_api import Trouble, may_pass, mend_of
from partonomy_data.llm.protocol import Dialect, complaint_of, is_answer, reply_of, told, without_key
from partonomy_data.llm.request import Failure, Reply, Request

#: Codes of errors of requests that the batch had no time for.
_UNANSWERED: Final = frozenset({"batch_expired", "batch_cancelled"})


class _Response(msgspec.Struct, frozen=True):
    status_code: int
    body: Any = None


class Result(msgspec.Struct, frozen=True):
    """A line of a file of results."""

    custom_id: str
    response: _Response | None = None
    error: Any = None
    """Why there is no response."""


@dataclass(frozen=True, slots=True)
class Passing:
    """An error that another try may not meet."""

    reason: str


#: A reply, or none for good; none for the moment; none in this dialect, but in another; or none for any request.
Verdict: TypeAlias = Reply | Failure | Passing | Dialect | Trouble


def results(file: IO[bytes]) -> Iterator[Result | None]:
    """The lines of a file of results; None for one that can't be read."""
    file.seek(0)
    for line in file:
        if line.isspace():
            continue
        try:
            # More lenient than msgspec's own reader: a model may say half a surrogate pair.
            yield msgspec.convert(json.loads(line), Result)
        except (ValueError, RecursionError, msgspec.MsgspecError):
            yield None


def verdict(request: Request, sent: Dialect, result: Result, key: str | None) -> Verdict:
    """What a result is to its request, which was `sent` in some dialect. `key` is taken out of what it says."""
    response = result.response
    if response is None:
        reason = "no answer: " + (told(complaint_of(result.error), key) or "the server doesn't say why")
        return Failure(reason) if _field(result.error, "code") in _UNANSWERED else Passing(reason)
    status, body = response.status_code, response.body
    if 200 <= status < 300 and is_answer(body):
        return without_key(reply_of(body, None), key)
    error = body.get("error") if isinstance(body, dict) else None
    complaint = complaint_of(body)
    learned = sent.after(request, status, complaint, _field(error, "param"))
    if learned is not None:
        return learned
    said = told(complaint, key)
    reason = f"the server answered {status}" + (f" ({said})" if said else "")
    mend = mend_of(status, _field(error, "code") or "")
    if mend is not None:
        return Trouble("lasting", reason, mend)
    return Passing(reason) if may_pass(status) else Failure(reason)


def fault_of(errors: object) -> tuple[str, str]:
    """What a batch that failed as a whole says of it: the code of the first error, and the error in words."""
    data = errors.get("data") if isinstance(errors, dict) else errors
    first = next(iter(data), None) if isinstance(data, list) else data
    code = _field(first, "code") or ""
    return code, ": ".join(one for one in (code, complaint_of(first)) if one) or "the server doesn't say why"


def _field(error: object, name: str) -> str | None:
    said = error.get(name) if isinstance(error, dict) else None
    return said if isinstance(said, str) else None
