"""Names of PartImageNet: the class of a photograph by its wnid, and parts without the super-category before them.

PartImageNet has no list of its 158 classes. A class is the ImageNet wnid that a file name begins with, and its words
are those of the WordNet 3.0 synset of that number. They come from an ImageNet mapping file in the source's folder
(`MAPPING_FILES`) if there is one, else from `synsets.tsv`: wnid, lemmas and first hypernym of ImageNet's 1,000 classes,
taken from WordNet 3.0, Copyright 2006 by Princeton University, whose licence is in `WORDNET_LICENSE.txt`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path, PurePosixPath

import msgspec

from partonomy_data.errors import SourceError

#: Files that give the words of wnids, in the order in which they are looked for: Kaggle's, Caffe's, ImageNet's own.
MAPPING_FILES = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt")

_STEM = re.compile(r"(n\d{8})_\w+")
_MAPPING_LINE = re.compile(r"(n\d{8})[ \t]+(\S.*)")
_PART_SPELLING = {"tier": "tire"}


class Synset(msgspec.Struct, frozen=True):
    """The words of one wnid."""

    lemmas: tuple[str, ...]
    hypernym: str = ""
    """First lemma of the synset's first hypernym; empty if it isn't known."""


def wnid_of(file_name: str) -> str | None:
    """The wnid of a photograph ("n04252225" of "n04252225_8354.JPEG"); None if the name isn't of that form."""
    found = _STEM.fullmatch(PurePosixPath(file_name).stem)
    return found.group(1) if found else None


def part_words(category: str, supercategory: str) -> str | None:
    """The part in plain words: the category without its super-category ("Car Side Mirror", "Car" → "side mirror").

    "Tier" becomes "tire". None if the category doesn't begin with its super-category, or has nothing after it.
    """
    words, owner = category.lower().split(), supercategory.lower().split()
    if not owner or words[: len(owner)] != owner or len(words) == len(owner):
        return None
    return " ".join(_PART_SPELLING.get(word, word) for word in words[len(owner) :])


def is_tier(category: str) -> bool:
    """Whether the category's name has the typing error "Tier"."""
    return any(word in _PART_SPELLING for word in category.lower().split())


def shipped_synsets() -> dict[str, Synset]:
    """The 1,000 ImageNet classes by wnid, as WordNet 3.0 has them."""
    table = {}
    for line in files(__package__).joinpath("synsets.tsv").read_text("utf-8").splitlines():
        wnid, lemmas, hypernym = line.split("\t")
        table[wnid] = Synset(tuple(lemmas.split(", ")), hypernym)
    return table


def mapping_file(folder: Path) -> Path | None:
    """The mapping file in the folder (not in those around it), or None."""
    return next((folder / name for name in MAPPING_FILES if (folder / name).is_file()), None)


def read_mapping(path: Path) -> dict[str, tuple[str, ...]]:
    """The lemmas of each wnid in a mapping file: lines of a wnid, blanks or a tab, and lemmas parted by ", ".

    Raises SourceError, with the line's number, if the file has a line of another form or is not UTF-8.
    """
    mend = "Mend the line, or remove the file: the project has the names of ImageNet's 1,000 classes"
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"can't be read as text ({error})", where=str(path), mend=mend) from error
    lemmas = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _MAPPING_LINE.fullmatch(line.strip())
        words = tuple(filter(None, map(str.strip, found.group(2).split(",")))) if found else ()
        if found is None or not words:
            raise SourceError(f"line {number} is not a wnid and its words", where=str(path), mend=mend)
        lemmas[found.group(1)] = words
    return lemmas


def class_names(wnids: Iterable[str], mapping: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, str]:
    """Wnid → a name in lower case that no other ImageNet class has; wnids without known words are left out.

    The name is the first lemma. Where two classes share it ("crane"), or differ in number only ("sunglass",
    "sunglasses"), neither keeps it bare: a further lemma that no class shares stands in, else the hypernym tells
    them apart ("crane (wading bird)"). What a class is called depends on the 1,000 classes and the mapping, not on
    which other wnids are asked for, as long as those are among the 1,000.
    """
    asked = sorted(set(wnids))
    table = shipped_synsets()
    for wnid in sorted({*table, *asked} & (mapping or {}).keys()):
        known = table.get(wnid)
        table[wnid] = Synset((mapping or {})[wnid], known.hypernym if known else "")
    first = Counter(_bare(synset.lemmas[0]) for synset in table.values())
    anywhere = Counter(key for synset in table.values() for key in {_bare(lemma) for lemma in synset.lemmas})
    names = {wnid: _name(synset, first, anywhere) for wnid, synset in table.items()}
    shared = Counter(map(_bare, names.values()))
    return {
        wnid: names[wnid] if shared[_bare(names[wnid])] == 1 else f"{names[wnid]} ({wnid})"
        for wnid in asked
        if wnid in names
    }


def _name(synset: Synset, first: Counter[str], anywhere: Counter[str]) -> str:
    head = synset.lemmas[0].lower()
    if first[_bare(head)] == 1:
        return head
    for lemma in synset.lemmas[1:]:
        if anywhere[_bare(lemma)] == 1:
            return lemma.lower()
    return f"{head} ({synset.hypernym.lower()})" if synset.hypernym else head


def _bare(name: str) -> str:
    """What is left of a name when case, hyphens and a plural ending no longer count."""
    return re.sub(r"(es|s)+$", "", name.lower().replace("-", " "))
