"""The one editable file that wins over all judges of names and relations.

    relations:
      - {part_a: torso, part_b: body, relation: distinct, note: the body has limbs}
    names:
      - {source: paco, name: colied_tube, canonical: coil, note: a guess}

Both sections may be missing. `relation` is read "part_a is … than (as) part_b". `name` of `names` is the category's
key, or its name as the source spells it, or in plain words; `kind` may say `object` or `part` where a source has both.
Part names of `relations` are made canonical as all names are; those that no source has are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from partonomy_data.errors import UsageError
from partonomy_data.taxonomy.words import BadName, is_plain, normalise

RELATIONS: Final = ("same", "broader", "narrower", "distinct")
INVERSE: Final[dict[str, str]] = {
    "same": "same",
    "broader": "narrower",
    "narrower": "broader",
    "distinct": "distinct",
}
_KINDS: Final = ("object", "part")


@dataclass(frozen=True, slots=True)
class RelationOverride:
    """part_a is `relation` than (as) part_b, whatever a judge says. Names are canonical."""

    part_a: str
    part_b: str
    relation: str
    note: str = ""
    where: str = ""
    """File and line, for error messages."""


@dataclass(frozen=True, slots=True)
class NameOverride:
    """What a source calls `name` is called `canonical`, whatever the rules say."""

    source: str
    name: str
    canonical: str
    kind: str = ""
    """`object`, `part`, or empty for both."""
    note: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Overrides:
    """The parsed file."""

    relations: tuple[RelationOverride, ...] = ()
    names: tuple[NameOverride, ...] = ()
    _by_name: dict[tuple[str, str, str], str] = field(default_factory=dict, compare=False, repr=False)

    def canonical(self, source: str, kind: str, *spellings: str) -> str | None:
        """The canonical name given to what `source` calls any of `spellings` (kind: object, part); None if none is."""
        for spelling in spellings:
            found = self._by_name.get((source, kind, spelling))
            if found is not None:
                return found
        return None


def overrides(relations: tuple[RelationOverride, ...] = (), names: tuple[NameOverride, ...] = ()) -> Overrides:
    """Overrides from rows. Raises UsageError if two rows name one category differently."""
    by_name: dict[tuple[str, str, str], str] = {}
    for row in names:
        for kind in (row.kind,) if row.kind else _KINDS:
            before = by_name.setdefault((row.source, kind, row.name), row.canonical)
            if before != row.canonical:
                raise UsageError(
                    f"the {kind} {row.name!r} of {row.source} is called both {before!r} and {row.canonical!r}",
                    where=row.where,
                    mend="Keep one of the two rows",
                )
    return Overrides(relations, names, by_name)


def load(path: Path) -> Overrides:
    """The overrides in the YAML file `path`. Raises UsageError (one line: file, line, what is wrong) if it isn't so."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise UsageError(f"can't be read ({error.strerror})", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise UsageError("is not UTF-8 text", where=str(path)) from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "can't be parsed"
        raise UsageError(f"is not YAML: {problem}", where=where) from error
    if root is None:
        return overrides()
    sections = _mapping(root, path, ("relations", "names"), ())
    return overrides(
        tuple(_relation(row, path) for row in _sequence(sections.get("relations"), path)),
        tuple(_name(row, path) for row in _sequence(sections.get("names"), path)),
    )


def _relation(node: Any, path: Path) -> RelationOverride:
    where = _where(node, path)
    row = _strings(node, path, ("part_a", "part_b", "relation", "note"), ("part_a", "part_b", "relation"))
    if row["relation"] not in RELATIONS:
        raise UsageError(f"relation is {row['relation']!r}", where=where, mend=f"It is one of {', '.join(RELATIONS)}")
    try:
        part_a, part_b = normalise(row["part_a"]), normalise(row["part_b"])
    except BadName as error:
        raise UsageError(error.reason, where=where) from error
    if part_a == part_b:
        raise UsageError(f"part_a and part_b are both {part_a!r}", where=where)
    return RelationOverride(part_a, part_b, row["relation"], row.get("note", ""), where)


def _name(node: Any, path: Path) -> NameOverride:
    where = _where(node, path)
    required = ("source", "name", "canonical")
    row = _strings(node, path, (*required, "kind", "note"), required)
    if row.get("kind", "") not in ("", *_KINDS):
        raise UsageError(f"kind is {row['kind']!r}", where=where, mend="It is object or part")
    if not is_plain(row["canonical"]):
        raise UsageError(
            f"canonical is {row['canonical']!r}",
            where=where,
            mend="A canonical name is lower case, with one space between words and no other signs",
        )
    return NameOverride(row["source"], row["name"], row["canonical"], row.get("kind", ""), row.get("note", ""), where)


def _where(node: Any, path: Path) -> str:
    return f"{path}:{node.start_mark.line + 1}"


def _sequence(node: Any, path: Path) -> list[Any]:
    if node is None or (node.id == "scalar" and node.tag.endswith(":null")):
        return []
    if node.id != "sequence":
        raise UsageError("a list of rows is expected here", where=_where(node, path))
    return list(node.value)


def _mapping(node: Any, path: Path, allowed: tuple[str, ...], required: tuple[str, ...]) -> dict[str, Any]:
    where = _where(node, path)
    if node.id != "mapping":
        raise UsageError("a mapping (key: value) is expected here", where=where)
    out: dict[str, Any] = {}
    for key, value in node.value:
        if key.value not in allowed or not isinstance(key.value, str):
            known = ", ".join(allowed)
            raise UsageError(f"unknown key {key.value!r}", where=_where(key, path), mend=f"Known keys are {known}")
        if key.value in out:
            raise UsageError(f"the key {key.value!r} stands twice", where=_where(key, path))
        out[key.value] = value
    missing = [key for key in required if key not in out]
    if missing:
        raise UsageError(f"{missing[0]!r} is missing", where=where)
    return out


def _strings(node: Any, path: Path, allowed: tuple[str, ...], required: tuple[str, ...]) -> Mapping[str, str]:
    out: dict[str, str] = {}
    for key, value in _mapping(node, path, allowed, required).items():
        # The text as written: a part may be called "on", which YAML takes for a truth value.
        if value.id != "scalar":
            raise UsageError(f"{key!r} must be text", where=_where(value, path))
        if key in required and not value.value.strip():
            raise UsageError(f"{key!r} is empty", where=_where(value, path))
        out[key] = value.value
    return out
