"""Writes the pages that follow from the code: docs/data-dictionary.md and docs/formats.md.

    python docs/generate.py            writes both
    python docs/generate.py --check    ends with 1 and one line if a page is not what the code says

The dictionary comes from `schemas.tables`; the formats from the rules that the readers declare, after a text by hand
on each source's layouts (docs/_intro/).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from partonomy_data.rulebook import SHARED
from partonomy_data.rules import Rule
from partonomy_data.sources.base import reader
from schemas.tables import EVALUATION_TABLES, SCHEMA_VERSION, TABLES, Table

DOCS = Path(__file__).resolve().parent
SOURCES = ("paco", "partimagenet", "pascal_part", "partonomy")
_PLAIN = {pa.float32(): "float32", pa.float64(): "float64", pa.bool_(): "bool"}


def plain_type(kind: pa.DataType) -> str:
    """An Arrow type in plain notation: `float32[4]`, `list<string>`, `struct<size int32[2], counts string>`."""
    if pa.types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name} {plain_type(field.type)}' for field in kind.fields)}>"
    if pa.types.is_fixed_size_list(kind):
        return f"{plain_type(kind.value_type)}[{kind.list_size}]"
    if pa.types.is_list(kind):
        return f"list<{plain_type(kind.value_type)}>"
    if pa.types.is_timestamp(kind):
        return f"timestamp[{kind.unit}, {kind.tz}]" if kind.tz else f"timestamp[{kind.unit}]"
    return _PLAIN.get(kind, str(kind))


def cell(text: str) -> str:
    """Text that may stand in a cell of a Markdown table; `<` stays as it is between backticks only."""
    pieces = text.replace("|", "\\|").replace("\n", " ").split("`")
    return "`".join(piece if i % 2 else piece.replace("<", "&lt;") for i, piece in enumerate(pieces))


def data_dictionary() -> str:
    """The text of docs/data-dictionary.md."""
    every = [*TABLES.values(), *EVALUATION_TABLES.values()]
    lines = [
        "# Data dictionary",
        "",
        "Written by `docs/generate.py` from the package `schemas`; do not edit.",
        "",
        f"Schema version {SCHEMA_VERSION}. A version of a store has every table of the first list, those without rows too",
        "(an empty file with the right columns). The tables of the second list are filled by evaluating models, and lie",
        "outside the versions. `T[n]` is a list of n values, `list<T>` one of any length. In DuckDB a mask is a",
        "`STRUCT(size INTEGER[], counts VARCHAR)` and a box a `FLOAT[]`, both counted from 1: `mask.size[1]`, `bbox[3]`.",
        "",
        "| table | one row is | key |",
        "|---|---|---|",
        *(f"| [{table.name}](#{table.name}) | {cell(table.row)} | {_key(table)} |" for table in TABLES.values()),
        "",
        "| table | one row is | key |",
        "|---|---|---|",
        *(f"| [{one.name}](#{one.name}) | {cell(one.row)} | {_key(one)} |" for one in EVALUATION_TABLES.values()),
    ]
    for table in every:
        lines += ["", *_table(table)]
    return "\n".join([*lines, ""])


def _key(table: Table) -> str:
    return ", ".join(f"`{name}`" for name in table.key) or "none"


def _table(table: Table) -> Iterator[str]:
    yield from (f"## {table.name}", "", f"One row is {table.row}. Key: {_key(table)}.", "")
    yield from ("| column | type | null | meaning |", "|---|---|---|---|")
    for column in table.columns:
        null = "yes" if column.nullable else "no"
        yield f"| `{column.name}` | `{plain_type(column.type)}` | {null} | {cell(column.description)} |"


def formats() -> str:
    """The text of docs/formats.md."""
    lines = [
        "# Formats, and every rule about them",
        "",
        "Written by `docs/generate.py` from the texts in `docs/_intro/` and the rules that the readers declare; do not edit.",
        "",
        (DOCS / "_intro" / "formats.md").read_text(encoding="utf-8").strip(),
    ]
    for source in SOURCES:
        lines += ["", (DOCS / "_intro" / f"{source}.md").read_text(encoding="utf-8").strip(), ""]
        lines += _rules(reader(source).rules)
    lines += [
        "",
        "## All sources",
        "",
        "These rules are applied to what any reader yields, that of a plug-in too.",
    ]
    for title, rules in SHARED.items():
        lines += ["", f"### {title}", "", *_rules(rules)]
    return "\n".join([*lines, ""])


def _rules(rules: Iterable[Rule]) -> Iterator[str]:
    yield from ("| rule | outcome | what is found | what is done, and why |", "|---|---|---|---|")
    for rule in rules:
        yield f"| `{rule.name}` | {rule.outcome} | {cell(rule.quirk)} | {cell(rule.how)} |"


PAGES: dict[str, Callable[[], str]] = {"data-dictionary.md": data_dictionary, "formats.md": formats}


def main(arguments: list[str]) -> int:
    """Writes the pages, or checks them; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: python docs/generate.py [--check]", file=sys.stderr)
        return 2
    texts = {DOCS / name: made() for name, made in PAGES.items()}
    if arguments:
        stale = [path for path, text in texts.items() if not path.is_file() or path.read_text("utf-8") != text]
        if stale:
            which = " and ".join(f"docs/{path.name}" for path in stale)
            print(f"{which}: not what the code says. Run: make docs", file=sys.stderr)
        return int(bool(stale))
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
