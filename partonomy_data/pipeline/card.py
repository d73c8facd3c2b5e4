"""The README.md of a version: what it holds, in a form that `datasets.load_dataset` understands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from schemas.tables import TABLES

_COUNTED = ("images", "objects", "parts", "attributes")


def card(manifest: Mapping[str, Any], filled: Collection[str]) -> str:
    """Markdown with a YAML head that names each table that has rows (`filled`) as a configuration, `questions` first."""
    lines = ["---", "configs:"]
    for name in sorted(filled, key=lambda name: (name != "questions", list(TABLES).index(name))):
        lines += [f"- config_name: {name}", "  data_files:", "  - split: train", f'    path: "{name}/**/*.parquet"']
    lines += [
        "task_categories:",
        "- image-segmentation",
        "- visual-question-answering",
        "---",
        "",
        "# Parts of objects",
        "",
    ]
    sources = ", ".join(f"`{name}`" for name in manifest["counts"])
    lines += [
        f"Objects and their parts in photographs of {sources}, in one set of tables, with the part taxonomy over them.",
        f"Made by {manifest['tool']['name']} {manifest['tool']['version']}. The tables are described in its data dictionary.",
        "",
        "| source | table | read | derived | published | quarantined |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for source, tables in manifest["counts"].items():
        for table in _COUNTED:
            one = tables[table]
            row = (one["read"], one["derived"], one["out"], one["quarantined"])
            lines.append(f"| {source} | {table} | " + " | ".join(f"{n:,}" for n in row) + " |")
    lines += [
        "",
        "Rules that were applied to the sources' quirks, and how often:",
        "",
        "| source | rule | times |",
        "|---|---|---:|",
    ]
    for source, rules in manifest["rules"].items():
        lines += [f"| {source} | `{rule}` | {n:,} |" for rule, n in rules.items()]
    lines += [
        "",
        "The photographs are not part of this version, and keep the licences of their owners; `images.license` says what",
        "each source states.",
        "",
    ]
    return "\n".join(lines)
