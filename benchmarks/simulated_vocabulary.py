"""Simulated stores with the real categories of a data set.

The designs take their categories from the data sets' published lists, in a folder of samples: PARTONOMY's 539 concepts
with 2,123 parts, PACO's 75 objects with 456 parts, PartImageNet's classes with the parts of their super-categories. The
numbers beside them (objects of a category, photographs of a class, objects in a photograph, splits) follow the published
ones. What no list tells, how much of what is visible is annotated, is set to what the formats make likely.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.simulated_design import Design
from partonomy_data.sources.paco import vocabulary as paco_vocabulary
from partonomy_data.sources.paco.schema import Category
from partonomy_data.sources.partimagenet import names as imagenet_names
from partonomy_data.sources.partimagenet import vocabulary as partimagenet_vocabulary
from partonomy_data.sources.partonomy import labels
from partonomy_data.sources.partonomy.graph import Concepts


def partonomy(samples: Path, per_concept: int = 2) -> Design:
    """PARTONOMY's concepts; Core has two photographs of each."""
    concepts = Concepts()
    section = ""
    with (samples / "partonomy" / "concept_hierarchy.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for name, listed in rows:
            if name.endswith(" concepts") and not listed:
                section = name.partition(" has ")[0]
            elif name:
                for part in filter(None, map(str.strip, listed.split(","))):
                    spelling = f"{section}{labels.SEP}{name}{labels.PART_SEP}{part}"
                    label = labels.parse(spelling)
                    assert label is not None
                    concepts.add(label, spelling)
    vocabulary = concepts.vocabulary(curated=True)
    n = len(vocabulary.objects)
    return Design("partonomy", vocabulary, (1.0,) * n, per_concept * n, "", in_turn=True, commonness=1.0)


def paco(samples: Path, photographs: int = 57_643) -> Design:
    """PACO-LVIS: objects as common as its table says, 4.7 in a photograph, half of them without any part."""
    with (samples / "paco" / "paco_lvis_v1_categories_attributes_parts.json").open(encoding="utf-8") as file:
        rows = json.load(file)["categories"]
    categories = [Category(id=row["id"], name=row["name"], supercategory=row["supercategory"]) for row in rows]
    vocabulary = paco_vocabulary.vocabulary(categories)
    counts = {row["name"]: float(row["instance_count"]) for row in rows}
    return Design(
        "paco",
        vocabulary,
        tuple(counts[one.key] for one in vocabulary.objects),
        photographs,
        "coco",
        splits=(("train", 45_790 / 57_643), ("val", 2_410 / 57_643), ("test", 9_443 / 57_643)),
        further_objects=3.75,
        same_again=0.35,
        labeled=0.57,
        annotated=0.9,
        exhaustive=0.1,
        negative=0.15,
        one_mask=True,
    )


#: PartImageNet's parts, by super-category.
_PARTS: Final = {
    "Quadruped": ("Head", "Body", "Foot", "Tail"),
    "Biped": ("Head", "Body", "Hand", "Foot", "Tail"),
    "Fish": ("Head", "Body", "Fin", "Tail"),
    "Bird": ("Head", "Body", "Wing", "Foot", "Tail"),
    "Snake": ("Head", "Body"),
    "Reptile": ("Head", "Body", "Foot", "Tail"),
    "Car": ("Body", "Tier", "Side Mirror"),
    "Bicycle": ("Body", "Head", "Seat", "Tier"),
    "Boat": ("Body", "Sail"),
    "Aeroplane": ("Head", "Body", "Engine", "Wing", "Tail"),
    "Bottle": ("Mouth", "Body"),
}
#: How many of the 158 classes each super-category has.
_CLASSES: Final = {
    "Quadruped": 46, "Biped": 17, "Fish": 10, "Bird": 14, "Snake": 15, "Reptile": 20, "Car": 19, "Bicycle": 6, "Boat": 4,
    "Aeroplane": 2, "Bottle": 5,
}  # fmt: skip
#: WordNet numbers animals by kind: the last number of each stretch, with its super-category (or none of them).
_ANIMALS: Final = (
    (1_499_999, "Fish"), (1_628_999, "Bird"), (1_704_000, "Reptile"), (1_727_999, ""), (1_759_999, "Snake"),
    (1_794_999, ""), (1_869_999, "Bird"), (2_001_999, ""), (2_059_999, "Bird"), (2_074_000, "Fish"), (2_077_999, ""),
    (2_139_999, "Quadruped"), (2_320_999, ""), (2_479_999, "Quadruped"), (2_503_999, "Biped"),
    (2_513_999, "Quadruped"), (2_665_999, "Fish"),
)  # fmt: skip
_MADE: Final = {
    "Car": "n02701002 n03100240 n03417042 n03444034 n03445924 n03670208 n03769881 n03770679 n03977966 n04037443 n04065272"
    " n04146614 n04252225 n04465501 n02930766 n03345487 n03594945 n03796401 n03930630",
    "Bicycle": "n03791053 n03792782 n04482393 n02835271 n03785016 n04509417",
    "Boat": "n03947888 n04612504 n02981792 n04147183",
    "Aeroplane": "n02690373 n04552348",
    "Bottle": "n02823428 n03937543 n03983396 n04557648 n04591713",
}


def _supercategory(wnid: str) -> str:
    for name, wnids in _MADE.items():
        if wnid in wnids.split():
            return name
    return next((name for last, name in _ANIMALS if int(wnid[1:]) <= last), "")


def partimagenet(samples: Path, classes: int = 109) -> Design:
    """PartImageNet's 109 training classes with their numbers of photographs, or 158 of all super-categories.

    Which classes the other 49 are is not published beside the photographs: other ImageNet classes of the same
    super-categories stand for them, so that each of these has as many as it should.
    """
    listed = (samples / "partimagenet" / "train_test_split_pimagenet_ood.txt").read_text("utf-8").splitlines()
    counts = Counter(line.split("\t")[3] for line in listed)
    of = {wnid: _supercategory(wnid) for wnid in sorted(counts)}
    splits: tuple[tuple[str, float], ...] = (("train", 14_881 / 16_540), ("test", 1_659 / 16_540))
    if classes == 158:
        others = [wnid for wnid in sorted(imagenet_names.shipped_synsets()) if wnid not in of]
        for name, wanted in _CLASSES.items():
            candidates = [wnid for wnid in others if _supercategory(wnid) == name]
            missing = wanted - list(of.values()).count(name)
            chosen = [candidates[place * len(candidates) // missing] for place in range(missing)]
            of |= dict.fromkeys(chosen, name)
        splits = (("train", 0.85), ("val", 0.05), ("test", 0.10))
    elif classes != 109:
        raise ValueError(f"PartImageNet has 109 training classes, 158 in all, not {classes}")
    categories = [(f"{owner} {part}", owner) for owner, parts in _PARTS.items() for part in parts]
    vocabulary = partimagenet_vocabulary.vocabulary(
        imagenet_names.class_names(of),
        of,
        [(name, owner, imagenet_names.part_words(name, owner) or "") for name, owner in categories],
    )
    usual = len(listed) / len(counts)
    return Design(
        "partimagenet",
        vocabulary,
        tuple(counts.get(one.key, usual) for one in vocabulary.objects),
        24_095 if classes == 158 else len(listed),
        "imagenet",
        splits=splits,
        annotated=0.95,
        merged=0.15,
        union_of_parts=True,
        impossible=0.1,
        commonness=1.8,
    )


#: The designs by name, as the command lines know them; each takes the folder of samples.
REAL: Final[dict[str, Callable[[Path], Design]]] = {
    "partonomy": partonomy,
    "partonomy-20": lambda samples: partonomy(samples, 20),
    "paco": paco,
    "partimagenet-109": lambda samples: partimagenet(samples, 109),
    "partimagenet-158": lambda samples: partimagenet(samples, 158),
}


def missing(samples: Path) -> list[str]:
    """The files of the samples that the real designs need and that aren't there."""
    needed = (
        "partonomy/concept_hierarchy.csv",
        "paco/paco_lvis_v1_categories_attributes_parts.json",
        "partimagenet/train_test_split_pimagenet_ood.txt",
    )
    return [name for name in needed if not (samples / name).is_file()]
