"""The demo world's sources in a folder of their own, to be changed: photographs taken away, rows shuffled, names replaced."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting

Json = dict[str, Any]

SOURCES = ("paco", "partimagenet", "partonomy", "pascal_part")


def copied(demo: Path, target: Path, sources: tuple[str, ...] = SOURCES) -> Path:
    """The sources of a demo world below `target`; files are links, so replace them, never write into them."""
    for name in sources:
        shutil.copytree(demo / name, target / name, copy_function=os.link)
    return target


def config(folder: Path, sources: tuple[str, ...] = SOURCES, **settings: Any) -> BuildConfig:
    """A build of sources in a folder, with one worker unless told otherwise."""
    given = {name: SourceSetting(str(folder / name)) for name in sources}
    return BuildConfig(sources=given, **{"workers": 1, **settings})


def files(root: Path) -> dict[str, str]:
    """Path → SHA-256 of all tables of the current version, as its manifest has them."""
    with partonomy_data.open(root) as store:
        return {file["path"]: file["sha256"] for file in store.manifest["files"]}


def table(root: Path, name: str, columns: list[str] | None = None) -> pa.Table:
    """A table of the current version."""
    with partonomy_data.open(root) as store:
        return store.table(name, columns)


def change_json(path: Path, change: Callable[[Json], None]) -> None:
    """Replaces a JSON file by a changed one."""
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.unlink()
    path.write_text(json.dumps(content), "utf-8")


def reverse(content: Json) -> None:
    """Turns the order of all rows of a COCO file round."""
    for name in ("images", "annotations", "categories"):
        content[name].reverse()


def without_images(numbers: set[int]) -> Callable[[Json], None]:
    """Takes rows of `images` away, with their annotations."""

    def change(content: Json) -> None:
        content["images"] = [row for row in content["images"] if row["id"] not in numbers]
        content["annotations"] = [row for row in content["annotations"] if row["image_id"] not in numbers]

    return change


def renamed(words: Mapping[str, str]) -> Callable[[Json], None]:
    """Gives each PACO category, `object` or `object:part`, the words that stand for its two names."""

    def change(content: Json) -> None:
        for row in content["categories"]:
            row["name"] = ":".join(words[name] for name in row["name"].split(":"))

    return change


def opaque_words(names: set[str], letters: str) -> dict[str, str]:
    """Name → a word that means nothing, of consonants and vowels in turn, so that no rule of English applies."""
    consonants, vowels = letters[:-3], letters[-3:]
    syllables = [consonant + vowel for consonant in consonants for vowel in vowels]
    words = [one + two + "m" for one in syllables for two in syllables if one != two]
    assert len(words) >= len(names)
    return dict(zip(sorted(names), words, strict=False))


def remove_partonomy(folder: Path, image: str) -> None:
    """Takes a photograph of PARTONOMY away, with its masks; `image` is its path below the source's folder."""
    path = folder / "partonomy" / image
    for mask in list((folder / "partonomy").rglob("*.json")):
        if json.loads(mask.read_text("utf-8"))["image_path"].endswith(image.partition("images/")[2]):
            mask.unlink()
    path.unlink()


def put_in_other_order(folder: Path) -> None:
    """Rewrites a source's folder so that its listing, and the rows of its files, come in another order."""
    everything = sorted((path for path in folder.rglob("*") if path.is_file()), reverse=True)
    aside = folder.with_name(folder.name + "-aside")
    for path in everything:
        target = aside / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    shutil.rmtree(folder)
    aside.rename(folder)
