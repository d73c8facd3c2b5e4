"""The best and the worst answers of a model, with the true masks and its own drawn, each as a picture for a page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partonomy_data import masks
from partonomy_data.errors import MaskError, UsageError
from partonomy_data.photographs.overlays import COLORS, Color, jpeg, overlaid
from partonomy_data.photographs.places import SETTING, Photographs, of_store
from partonomy_data.photographs.views import view_of
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store

#: Of each kind.
_MOST: Final = 4
_SIDE: Final = 320
_CHOSEN: Final = """
WITH scored AS (SELECT p.*, list_avg(list_transform(p.iou, lambda one: one.iou)) AS score FROM predictions p
    WHERE p.model_id = $model AND p.seed = $seed AND p.conditioning = $conditioning AND len(p.iou) > 0),
ranked AS (SELECT s.*, row_number() OVER (ORDER BY score DESC, s.question_id) AS best,
    row_number() OVER (ORDER BY score, s.question_id) AS worst FROM scored s JOIN questions q ON q.question_id = s.question_id
    WHERE q.split = $split),
chosen AS (SELECT * FROM ranked WHERE best <= $most OR worst <= $most),
named AS (
    SELECT m.question_id, list(struct_pack(part := m.part_category, counts := t.mask.counts) ORDER BY t.part_id) AS masks
    FROM (SELECT question_id, part_category, unnest(part_ids) AS part_id
        FROM question_masks WHERE question_id IN (SELECT question_id FROM chosen)) m
    JOIN parts t ON t.part_id = m.part_id GROUP BY 1)
SELECT c.question_id, c.score, c.best <= $most AS is_best, c.best, c.worst, c.masks, c.choice, q.question, q.referent, q.region,
    q.choices[q.correct_index + 1].text AS answer, c.text, i.source, i.uri, i.height, i.width,
    list_contains(i.repairs, 'exif_transposed') AS transposed, n.masks AS true_masks
FROM chosen c JOIN questions q ON q.question_id = c.question_id JOIN images i ON i.image_id = q.image_id
    LEFT JOIN named n ON n.question_id = c.question_id ORDER BY c.best
"""
_URIS: Final = "SELECT source, min(uri) FROM images GROUP BY source"


@dataclass(frozen=True)
class Example:
    """An answer."""

    question_id: str
    is_best: bool
    score: float
    """Mean IoU over the parts that either side names."""
    question: str
    answer: str
    said: str | None
    picture: str
    """A data URL: to the left the true masks, to the right the model's; empty if the photograph can't be read."""
    parts: tuple[tuple[str, tuple[int, int, int]], ...]
    """Part names with their colors."""


def examples(
    store: Store, layout: Layout, model_id: str, split: str, seed: int, given: Mapping[str, str]
) -> tuple[str, list[Example]]:
    """The conditioning that they are of, and the best, then the worst; none where the model makes no masks.

    `given`: source → folder of its photographs, where it isn't the one that the version was built from.
    """
    rows: list[dict[str, Any]] = []
    for conditioning in ("oracle", "predicted"):
        asked = {"model": model_id, "seed": seed, "split": split, "conditioning": conditioning, "most": _MOST}
        rows = store.sql(_CHOSEN, asked).to_arrow_table().to_pylist()
        if rows:
            break
    places = _places(store, layout, given)
    found = [_example(row, places) for row in rows]
    best = [one for one in found if one.is_best]
    return conditioning, [*best, *reversed([one for one in found if not one.is_best])]


def _places(store: Store, layout: Layout, given: Mapping[str, str]) -> Photographs | None:
    uris = {str(source): str(uri) for source, uri in store.sql(_URIS).fetchall()}
    try:
        return of_store(layout.root, given, SETTING).check(uris)
    except UsageError:
        return None  # they have been moved: the page goes without


def _example(row: Mapping[str, Any], places: Photographs | None) -> Example:
    names = sorted({one["part"] for one in (*(row["true_masks"] or ()), *(row["masks"] or ()))})
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
    return Example(
        row["question_id"],
        bool(row["is_best"]),
        float(row["score"]),
        row["question"],
        row["answer"],
        row["text"],
        _picture(row, places, colors) if places is not None else "",
        tuple(colors.items()),
    )


def _picture(row: Mapping[str, Any], places: Photographs, colors: Mapping[str, Color]) -> str:
    size = int(row["height"]), int(row["width"])
    try:
        whole = places.open(row["source"], row["uri"], size[1], size[0], transposed=bool(row["transposed"]))
    except UsageError:
        return ""
    view = view_of(whole, row["referent"], row["region"])
    scale = min(1.0, _SIDE / max(view.image.size))
    shape = max(1, round(view.image.width * scale)), max(1, round(view.image.height * scale))
    both = Image.new("RGB", (2 * shape[0] + 8, shape[1]), "white")
    for place, lot in enumerate((row["true_masks"] or (), row["masks"] or ())):
        drawn = [(colors[one["part"]], view.of(_mask(one["counts"], size))) for one in lot]
        both.paste(overlaid(view.image, drawn).resize(shape, Image.Resampling.LANCZOS), (place * (shape[0] + 8), 0))
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(both, 85)).decode()}"


def _mask(counts: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    try:
        return masks.decode(masks.from_compressed(counts, size, *size))
    except MaskError:
        return np.zeros(size, np.uint8)  # the model's own, malformed: there is nothing to draw
