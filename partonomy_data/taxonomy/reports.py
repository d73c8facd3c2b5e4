"""What is reported of the making of names: the rules that may apply, and a row for each time that one did."""

from __future__ import annotations

from dataclasses import dataclass

from partonomy_data.rules import Rule
from partonomy_data.taxonomy.words import RULES as WORD_RULES

NAMES_KEPT_APART = Rule(
    "names_kept_apart",
    "repaired",
    "A source calls two object categories the same.",
    "The supercategory follows in parentheses, else a number.",
)
KINDS_KEPT_APART = Rule(
    "kinds_kept_apart",
    "repaired",
    "Two sources use one name for things of different kinds.",
    "The supercategory follows in parentheses.",
)
QUALIFIER_KEPT = Rule(
    "qualifier_kept",
    "kept",
    "Two names differ only by what stands in parentheses.",
    "The parentheses stay.",
)
PART_NAMES_MERGED = Rule(
    "part_names_merged",
    "kept",
    "An object category has two part names that are one but for number or spelling.",
    "They are one part category; `source_category` keeps both.",
)
CATEGORY_CYCLE = Rule(
    "category_cycle",
    "repaired",
    "The supercategories of the sources, taken together, form a cycle.",
    "The edge that closes it is left out; sources come in the order of their names.",
)
RULES: tuple[Rule, ...] = (
    *WORD_RULES,
    NAMES_KEPT_APART,
    KINDS_KEPT_APART,
    QUALIFIER_KEPT,
    PART_NAMES_MERGED,
    CATEGORY_CYCLE,
)


@dataclass(frozen=True, slots=True, order=True)
class NameReport:
    """A name where a choice was made that a reader may want to know of."""

    source: str
    rule: str
    canonical: tuple[str, ...]
    """What the names became."""
    spellings: tuple[str, ...]
    """What the source calls them."""
