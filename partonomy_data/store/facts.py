"""What the manifests of two versions say differently of how they were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the two manifests say differently; None where one of them says nothing."""

    name: str
    """Its place in the manifest, with points: `config.limit`, `inputs.paco.fingerprint`."""
    old: Any
    new: Any


def facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Fact, ...]:
    """What two manifests say differently of what their versions were made of, with what settings, and by what.

    The files of sources come last; those of a source that only one of them has are left out, as its fingerprint is told.
    """
    both = set(old.get("inputs", {})) & set(new.get("inputs", {}))
    one, other = ({**_flat(content), **_files(content, both)} for content in (old, new))
    return tuple(
        Fact(name, one.get(name), other.get(name))
        for names in (_flat(old).keys() | _flat(new).keys(), _files(old, both).keys() | _files(new, both).keys())
        for name in sorted(names)
        if one.get(name) != other.get(name)
    )


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Every value by its place, but for what is counted or listed."""
    flat: dict[str, Any] = {"schema_version": content.get("schema_version")}
    waiting = [(name, content[name]) for name in ("tool", "config", "inputs") if name in content]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{name}.{key}", inner) for key, inner in value.items() if key not in ("files", "shards")]
        else:
            flat[name] = value
    return flat


def _files(content: Mapping[str, Any], sources: Iterable[str]) -> dict[str, Any]:
    """The digests of the sources' files by their place."""
    return {
        f"inputs.{source}.files.{file['path']}": file["sha256"]
        for source in sources
        for file in content["inputs"][source].get("files", ())
    }
