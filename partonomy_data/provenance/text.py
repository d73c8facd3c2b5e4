"""An explanation as indented text, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from partonomy_data.provenance.explaining import Explanation

#: Values that belong together are one line if they fit into so many characters.
_LINE: Final = 140
#: Texts that may be long: their length is told, and how to see them.
_LONG: Final = {"request", "response"}


def as_json(explanation: Explanation) -> str:
    """All that is told, as a JSON object; times in ISO 8601."""
    told = {"id": explanation.id, "kind": explanation.kind, "version": explanation.version, **explanation.told}
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False, default=_time) + "\n"


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


def as_text(explanation: Explanation) -> str:
    """All that is told, a value a line, what belongs to it indented. Of what a language model was asked and answered
    the lengths, with the query that shows it."""
    head = f"{explanation.kind} {_plain(explanation.id)}, version {explanation.version}"
    return "\n".join([head, *_fields(explanation.told, 1)]) + "\n"


def _fields(values: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, value in values.items():
        yield from _field(name, value, values, depth)


def _field(name: str, value: Any, beside: Mapping[str, Any], depth: int) -> Iterator[str]:
    blank = "  " * depth
    if name == "repairs":
        yield from _repairs(value, blank)
    elif name == "rule" and isinstance(value, Mapping):
        yield f"{blank}rule: {_rule(value)}"
    elif name == "edits":
        if value:  # the right choice has none
            yield f"{blank}edits: {'; '.join(map(_edit, value))}"
    elif name == "files":
        yield from _files(value, beside, blank)
    elif name == "n_files":
        return
    elif name in _LONG and isinstance(value, str):
        sql = f"SELECT {name} FROM llm_calls WHERE call_id = '{beside['call_id']}'"
        yield f'{blank}{name}: {len(value):,} characters (partonomy query "{sql}")'
    elif isinstance(value, Mapping):
        line = _line(value)
        yield f"{blank}{name}: {line}" if line else f"{blank}{name}:"
        yield from _fields(value, depth + 1) if not line else ()
    elif _is_nested(value):
        yield f"{blank}{name}:"
        for number, one in enumerate(value, 1):
            yield from _entry(f"{number}." if name == "choices" else "-", one, depth + 1)
    else:
        yield f"{blank}{name}: {_value(value)}"


def _entry(mark: str, values: Mapping[str, Any], depth: int) -> Iterator[str]:
    """An entry of a list: one line if it is short, else a line for each value."""
    lines = [_line(values)] if _line(values) else list(_fields(values, 0))
    indent = "  " * depth + " " * (len(mark) + 1)
    yield f"{'  ' * depth}{mark} {lines[0]}"
    yield from (indent + one for one in lines[1:])


def _line(values: Mapping[str, Any]) -> str:
    """Values that are plain and short as one line, without those that are none; else an empty text."""
    if any(_is_nested(value) or name in (*_LONG, "repairs", "files", "edits") for name, value in values.items()):
        return ""
    told = {name: f"[{_value(value)}]" if isinstance(value, list) else _value(value) for name, value in values.items()}
    line = ", ".join(f"{name} {text}" for name, text in told.items() if values[name] is not None)
    return line if len(line) <= _LINE else ""


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value))


def _repairs(value: Sequence[Mapping[str, Any]] | None, blank: str) -> Iterator[str]:
    if not value:
        yield f"{blank}repairs: {'not recorded in this version' if value is None else 'none'}"
        return
    yield f"{blank}repairs:"
    for one in value:
        times = f" ({one['times']} times)" if one["times"] > 1 else ""
        yield f"{blank}  - {_rule(one)}{times}"


def _rule(rule: Mapping[str, Any]) -> str:
    if "outcome" not in rule:
        return str(rule["rule"])
    return f"{rule['rule']}, {rule['outcome']}: {rule['found']} {rule['done']}"


def _edit(edit: Mapping[str, Any]) -> str:
    if edit["op"] == "replace":
        return f"replace {_plain(edit['part'])} with {_plain(edit['replacement'])}"
    return f"{edit['op']} {_plain(edit['part'])}"


def _files(files: Sequence[Mapping[str, Any]], beside: Mapping[str, Any], blank: str) -> Iterator[str]:
    n_files = beside.get("n_files", len(files))
    if files:
        yield f"{blank}files:"
        yield from (f"{blank}  - {_plain(one['path'])} (sha256 {one['sha256']})" for one in files)
    elif n_files:
        yield f"{blank}files: some of the {n_files:,} that manifest.json lists under inputs.{beside.get('source', '')}.files"
    else:
        yield f"{blank}files: not recorded in this version"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "none"
    return _plain(str(value))


def _plain(text: str) -> str:
    """Text on one line; control characters are shown, not sent to the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
