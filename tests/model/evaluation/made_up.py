"""Questions and predictions of all kinds, drawn by a seed; and their masks as dense arrays, for slow and plain oracles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.evaluation import measuring
from model.evaluation.answers import Choice, PartMask, Prediction, Span, Truth
from model.evaluation.scoring import Wanted
from model.evaluation.streaming import Stream
from partonomy_data import masks
from partonomy_data.masks import Rle, RleJson

PARTS = ("wing", "tail", "wheel", "hull", "mast", "sail")
Bitmap = NDArray[np.bool_]
seeds = st.integers(0, 2**32)


def rle(bitmap: Bitmap) -> RleJson:
    made = masks.to_json(masks.from_bitmap(bitmap))
    return RleJson(tuple(made["size"]), made["counts"])


def dense(mask: Rle | RleJson) -> Bitmap:
    """Pixels of a mask that is sound."""
    if isinstance(mask, RleJson):
        mask = masks.from_compressed(str(mask.counts), mask.size, *mask.size)
    return masks.decode(mask).astype(bool)


def blob(generator: np.random.Generator, size: tuple[int, int], *, empty: bool = False) -> Bitmap:
    """A rectangle, an ellipse, or noise; rarely nothing, if it may be."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    y, x = generator.uniform(0, size[0]), generator.uniform(0, size[1])
    tall, wide = generator.uniform(1, max(size[0] / 2, 2)), generator.uniform(1, max(size[1] / 2, 2))
    kind = generator.integers(0, 4)
    if kind == 0:
        made = (abs(rows - y) <= tall) & (abs(columns - x) <= wide)
    elif kind < 3:
        made = ((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2 <= 1
    else:
        made = generator.random(size) < 0.3
    if empty and generator.random() < 0.15:
        made = np.zeros(size, np.bool_)
    elif not made.any():
        made[int(y), int(x)] = True
    return made


def truth(generator: np.random.Generator, number: int = 0, **given: Any) -> Truth:
    """A question about one to four parts; a part's name may have two masks."""
    size = int(generator.integers(2, 24)), int(generator.integers(2, 24))
    names = generator.choice(PARTS, int(generator.integers(1, 5)), replace=bool(generator.random() < 0.2)).tolist()
    n_choices = int(generator.integers(2, 6))
    sets = [tuple(sorted(set(generator.choice(PARTS, 3).tolist()))) for _ in range(n_choices)]
    choices = tuple(Choice("A " + ", a ".join(parts) + ".", parts) for parts in sets)
    two = bool(generator.random() < 0.3)
    made = Truth(
        question_id=f"qst_{number}",
        photograph=f"photograph {generator.integers(0, 5)}",
        split=str(generator.choice(["val", "test"])),
        source=str(generator.choice(["paco", "partimagenet"])),
        question_type=str(generator.choice(["identification", "difference"])),
        object_category=str(generator.choice(["boat", "kite"])),
        collection="" if number % 3 == 0 else "coco" if number % 3 == 1 else "voc",
        verified=bool(generator.random() < 0.5),
        size=size,
        choices=choices,
        correct=int(generator.integers(0, n_choices)),
        chance=1 / n_choices,
        masks=tuple(PartMask(name, rle(blob(generator, size))) for name in names),
        spans=tuple(Span(3 * at, 3 * at + 2, name) for at, name in enumerate(names)),
        object_choices=("boat", "kite", "car") if two else (),
        correct_object=int(generator.integers(0, 3)) if two else None,
    )
    return replace(made, **given)


def prediction(generator: np.random.Generator, of: Truth) -> Prediction:
    """Something between right and hopeless: masks that are near the truth, moved, missing, surplus, twice, empty."""
    said = []
    for one in of.masks:
        if generator.random() < 0.8:
            pixels = dense(one.mask)
            if generator.random() < 0.5:
                pixels = np.roll(pixels, int(generator.integers(0, 3)), axis=int(generator.integers(0, 2)))
            said.append(PartMask(one.part, rle(pixels), float(generator.random())))
    for _ in range(int(generator.integers(0, 3))):
        made = blob(generator, of.size, empty=True)
        said.append(PartMask(str(generator.choice(PARTS)), rle(made), float(generator.random())))
    order = generator.permutation(len(said))
    n = len(of.choices)
    scores = tuple(np.round(generator.normal(-3, 2, n), int(generator.integers(0, 3))).tolist())
    spans = [(one.start, one.end + int(generator.random() < 0.3)) for one in of.spans if generator.random() < 0.8]
    return Prediction(
        question_id=of.question_id,
        scores=scores if generator.random() < 0.9 else None,
        tokens=tuple(generator.integers(1, 9, n).tolist()) if generator.random() < 0.9 else None,
        chosen=int(generator.integers(0, n)) if generator.random() < 0.5 else None,
        object_scores=tuple(generator.integers(-3, 0, 3).astype(float).tolist()) if of.object_choices else None,
        generated=int(generator.integers(0, n)) if generator.random() < 0.8 else None,
        parts=tuple(generator.choice(PARTS, int(generator.integers(0, 5))).tolist()),
        spans=tuple(spans),
        masks=tuple(said[place] for place in order),
    )


def world(seed: int, n: int, **given: Any) -> tuple[list[Truth], list[Prediction]]:
    """n questions, most of them answered."""
    generator = np.random.default_rng(seed)
    truths = [truth(generator, number, **given) for number in range(n)]
    return truths, [prediction(generator, of) for of in truths if generator.random() < 0.95]


def blind(k: int, blocks: int = 100) -> Stream:
    """Blocks of `k` choices, complete, to which the same is always said; `chance` is as the store gives it, float32."""
    choices = tuple(Choice(f"A {part}.", (part,)) for part in PARTS[:k])
    given = {
        "choices": choices,
        "object_choices": (),
        "correct_object": None,
        "masks": (),
        "spans": (),
        "split": "test",
    }
    stream, generator = Stream(Wanted(frozenset({"choices"}))), np.random.default_rng(k)
    stored = measuring.chance(float(np.float32(1 / k)), k)
    for block in range(blocks):
        for right in range(k):
            more = {"correct": right, "chance": stored, "block": f"{block}", "group": f"{block // 2}"}
            one = truth(generator, block * k + right, **given, **more)
            stream.add([one], [Prediction(one.question_id, chosen=0)])
    return stream


def by_name(lot: Sequence[PartMask]) -> dict[str, Bitmap]:
    """Pixels under each name, those of one name united."""
    found: dict[str, Bitmap] = {}
    for one in lot:
        found[one.part] = found[one.part] | dense(one.mask) if one.part in found else dense(one.mask)
    return found


def iou(first: Bitmap, second: Bitmap) -> float:
    either = np.logical_or(first, second).sum()
    return float(np.logical_and(first, second).sum() / either) if either else 0.0
