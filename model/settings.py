"""Settings from YAML into frozen dataclasses: an unknown key is an error with a suggestion, and a digest says which they were."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

from model.plum.errors import ModelError

T = TypeVar("T")

#: A number that YAML 1.1 takes for text, as it asks for a dot before the exponent.
_NO_DOT: Final = re.compile(r"[-+]?\d+[eE][-+]?\d+")


def load(path: Path, kind: type[T]) -> T:
    """Reads a YAML file as settings of a dataclass. Raises ModelError for what can't be read, unknown keys, and wrong types."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"can't be read: {error.strerror}", where=str(path), mend="Check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ModelError("is not valid YAML", where=where, mend="Mend the line") from error
    return convert({} if content is None else content, kind, where=str(path))


def convert(content: Any, kind: type[T], where: str = "") -> T:
    """Plain values (as `plain` gives them) as settings of a dataclass. Raises ModelError."""
    if not isinstance(content, dict):
        raise ModelError("must hold `key: value` lines", where=where)
    _check(content, kind, "", where)
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise ModelError(f"a setting is missing or of the wrong type: {error}", where=where) from error
    except ModelError as error:
        raise ModelError(error.what, where=error.where or where, mend=error.mend) from error


def plain(settings: Any) -> dict[str, Any]:
    """Settings as dictionaries, lists and plain values, defaults included, which `convert` makes into equal settings."""
    made: dict[str, Any] = _plain(settings)
    return made


def _plain(value: Any) -> Any:
    # msgspec alone would leave out what a file didn't say: it reads an instance's own dictionary, where defaults are not.
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else msgspec.to_builtins(value)


def typed(settings: T) -> T:
    """The same settings, each value of the type that it should have: a 0 where a fraction belongs is 0.0."""
    return msgspec.convert(plain(settings), type(settings))


def check_seed(name: str, seed: int, least: int = -(2**63)) -> None:
    """Raises ModelError for a seed that is below `least`, or doesn't fit into 64 bits with a sign, as tables hold it."""
    if not least <= seed < 2**63:
        mend = f"Give a whole number from {'0' if not least else '-2^63'} to 2^63 - 1"
        raise ModelError(f"{name} is {seed}, which can't be a seed", mend=mend)


def digest(settings: Any) -> str:
    """SHA-256 of settings: equal settings, equal digests, in whatever order a file names them."""
    return digest_of(plain(typed(settings)))


def digest_of(content: Mapping[str, Any]) -> str:
    """The same, of settings as `plain` gives them."""
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def _check(value: Any, hint: Any, inside: str, where: str) -> None:
    """Raises ModelError for unknown keys in `value`, wherever its type `hint` says that there are settings."""
    if isinstance(value, str) and _NO_DOT.fullmatch(value) and float in (hint, *typing.get_args(hint)):
        mend = f"Write a dot before the exponent: {re.sub('[eE]', '.0e', value)}"
        raise ModelError(f"{inside.rstrip('.')} is the text {value!r}, not a number", where=where, mend=mend)
    kinds = [one for one in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(one)]
    if isinstance(value, list | tuple):
        for number, one in enumerate(value):
            for inner in typing.get_args(hint):
                _check(one, inner, f"{inside.rstrip('.')}[{number}].", where)
    elif isinstance(value, dict) and typing.get_origin(hint) is Mapping:
        for key, one in value.items():
            _check(one, typing.get_args(hint)[1], f"{inside}{key}.", where)
    elif isinstance(value, dict) and kinds:
        hints = typing.get_type_hints(kinds[0])
        known = [field.name for field in dataclasses.fields(kinds[0])]
        for key, one in value.items():
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"Did you mean {inside}{near[0]}" if near else f"Known keys are {', '.join(known)}"
                raise ModelError(f"unknown setting {inside}{key}", where=where, mend=hint)
            _check(one, hints[key], f"{inside}{key}.", where)
