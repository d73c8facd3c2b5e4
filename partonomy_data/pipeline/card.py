"""The README.md of a version: what it holds, in a form that `datasets.load_dataset` understands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from partonomy_data.store.layout import PREVIEW
from schemas.tables import TABLES

#: Tables whose files lie in a folder for each split.
_BY_SPLIT = ("questions", "question_masks")
_COUNTED = ("images", "objects", "parts", "attributes")


def card(manifest: Mapping[str, Any], filled: Collection[str], splits: Collection[str] = ()) -> str:
    """Markdown with a YAML head that names each table that has rows (`filled`) as a configuration, `questions` first.

    `splits` are those of the questions; the other tables, which are one for all, go by the split `train`.
    """
    lines = ["---", "configs:"]
    for name in sorted(filled, key=lambda name: (name != "questions", list(TABLES).index(name))):
        lines += [f"- config_name: {name}", "  data_files:"]
        if name in _BY_SPLIT and splits:
            for split in sorted(splits, key=lambda split: (split != "train", split)):
                lines += [f"  - split: {split}", f'    path: "{name}/split={split}/**/*.parquet"']
        else:
            lines += ["  - split: train", f'    path: "{name}/**/*.parquet"']
    if manifest.get("preview"):
        lines += ["- config_name: preview", "  data_files:", "  - split: train", f'    path: "{PREVIEW}"']
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
    lines += _questions(manifest.get("questions"))
    lines += [
        "",
        "The photographs are not part of this version, and keep the licences of their owners; `images.license` says what",
        "each source states." + _shown(manifest.get("preview")),
        "",
    ]
    return "\n".join(lines)


def _shown(preview: Mapping[str, Any] | None) -> str:
    """What the preview has of them."""
    if not preview:
        return ""
    n = preview["photographs"]
    return f" The configuration `preview` shows {n:,} of them, made small, with their parts drawn."


def _questions(made: Mapping[str, Any] | None) -> list[str]:
    """What the questions are, and how many instances have one that can't be answered without the image."""
    if not made or not made["questions"]:
        return []
    lines = [
        "",
        f"There are {made['questions']:,} questions about {made['instances']:,} objects. A balanced question belongs to a block",
        "of questions with the same text and choices, each of which is right for one photograph; `partonomy audit` shows",
        "that it can't be answered without the image. Of the objects that can be asked about, in evaluation splits:",
        "",
        "| source | type | can be asked | could be balanced | are balanced |",
        "|---|---|---:|---:|---:|",
    ]
    total: dict[tuple[str, str], list[int]] = {}
    for row in made["coverage"]:
        if row["split"] != "train":
            one = total.setdefault((row["source"], row["question_type"]), [0, 0, 0])
            for place, name in enumerate(("askable", "bound", "balanced")):
                one[place] += row[name]
    lines += [
        f"| {source} | {kind} | " + " | ".join(f"{n:,}" for n in one) + " |" for (source, kind), one in total.items()
    ]
    return lines
