"""The word lists behind the names (`lexicon.yaml`), read once and typed."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


class Lexicon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sections of `lexicon.yaml`; the file says what each is for."""

    american: dict[str, str]
    typos: dict[str, str]
    joined: dict[str, str]
    irregular: dict[str, str]
    plural_only: frozenset[str]
    singular_s: frozenset[str]
    kept: frozenset[str]
    eyewear: frozenset[str]
    regular_us_is: frozenset[str]
    nouns_in_ie: frozenset[str]
    nouns_in_oe: frozenset[str]
    nouns_in_e: frozenset[str]
    nouns_in_s: frozenset[str]
    nouns_in_ic: frozenset[str]
    glosses: dict[str, frozenset[str]]
    kinds: dict[str, str]
    positions: dict[str, str]
    vague_heads: frozenset[str]
    regions: frozenset[str]
    quantities: frozenset[str]


class SynonymGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names of one part, and how sure that is."""

    names: tuple[str, ...]
    confidence: float = 0.95


class SynonymPair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part name that is narrower than another, or distinct from it."""

    part: str
    than: str
    confidence: float = 0.9


class Synonyms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sections of `synonyms.yaml`; the file says what each is for."""

    same: tuple[SynonymGroup, ...]
    narrower: tuple[SynonymPair, ...]
    distinct: tuple[SynonymPair, ...]


def read_yaml(name: str) -> Any:
    """The content of a YAML file of this package."""
    # PyYAML takes longer to import than the command line has for its help text.
    import yaml

    text = files("partonomy_data.taxonomy").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def lexicon() -> Lexicon:
    """The word lists, read on first use. Raises msgspec.ValidationError if the file was edited into another shape."""
    return msgspec.convert(read_yaml("lexicon.yaml"), Lexicon)


@cache
def synonyms() -> Synonyms:
    """The curated relations, read on first use. Raises as `lexicon` does."""
    return msgspec.convert(read_yaml("synonyms.yaml"), Synonyms)
