"""A small store by hand, whose names and texts try to break out of what they are written into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from partonomy_data import ids, masks
from partonomy_data.store import parquet, publish
from partonomy_data.store.layout import Layout
from schemas.tables import schema

#: HTML, quotes, a backslash, a line end, a control character, letters of many scripts, LLaVA's own mark.
HOSTILE = "<script>\"'alert\\n\n\t\x01</script> <image> ünï 部品 🐙\u2028"
HEIGHT, WIDTH = 30, 40


@dataclass(frozen=True)
class Small:
    """A store and where its photographs lie."""

    root: Path
    photographs: Path
    uris: tuple[str, ...]

    @property
    def images(self) -> dict[str, str]:
        """As `--images` names them."""
        return {"paco": str(self.photographs)}


def bitmap(left: int) -> np.ndarray:
    """(HEIGHT, WIDTH) with a rectangle."""
    made = np.zeros((HEIGHT, WIDTH), np.uint8)
    made[5:20, left : left + 6] = 1
    return made


def question(number: int, image_id: str, object_id: str, **changes: Any) -> dict[str, Any]:
    """A row of `questions`."""
    choices = [
        {"text": f"{text} {HOSTILE}", "parts": [HOSTILE], "spans": [], "is_correct": text == "right", "edits": []}
        for text in ("wrong", "right")
    ]
    return {
        "question_id": f"qst_{number:022x}", "image_id": image_id, "object_id": object_id, "source": "paco",
        "split": "train", "question_type": "identification", "names_object": True, "contrast_categories": [],
        "question": f"What {HOSTILE}?", "choices": choices, "correct_index": 1, "referent": "unique", "region": None,
        "group_id": None, "block_id": None, "balanced": False, "chance": 0.5, "evidence": "unverified",
        "object_question": None, "object_choices": None, "correct_object_index": None, "object_balanced": None,
        "wording": "w", "generator_version": "g",
    } | changes  # fmt: skip


def rows(uris: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """Tables: for each photograph an object with a part, both with the same source keys; the first has a second, bare object."""
    made: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("images", "objects", "parts", "splits", "questions", "question_masks")
    }
    for i, uri in enumerate(uris):
        image_id = f"paco/{i}"
        own, part = ids.object_id(image_id, "7"), ids.part_id(image_id, "7")
        made["images"].append(
            {"image_id": image_id, "source": "paco", "source_split": "", "uri": uri, "file_name": uri, "width": WIDTH}
            | {"height": HEIGHT, "photograph": image_id, "exif_orientation": 6 if i == 1 else 1}
            | {"license": HOSTILE, "repairs": []}
        )
        made["splits"].append(
            {"image_id": image_id, "source": "paco", "cluster": f"pho_{i}", "split": "train", "reason": "source"}
        )
        rle = masks.to_json(masks.from_bitmap(bitmap(i)))
        common = {"image_id": image_id, "source": "paco", "bbox": [1.0, 2.0, 3.0, 4.0], "source_key": "7"}
        whole = {"object_category": HOSTILE, "source_category": "x", "merged": False, "repairs": []} | common
        made["objects"].append(
            whole | {"object_id": own, "area": 90, "mask": rle, "mask_origin": "annotated", "n_parts": 1}
        )
        made["parts"].append(
            {"part_id": part, "object_id": own, "part_category": HOSTILE, "source_category": "x"}
            | {"area": 90, "mask": rle, "match_method": "linked", "repairs": []}
            | common
        )
        made["questions"].append(question(i, image_id, own))
        made["question_masks"].append(
            {"question_id": f"qst_{i:022x}", "part_category": HOSTILE, "phrase": "x", "part_ids": [part]}
        )
        if i == 0:
            made["objects"].append(
                whole | {"object_id": ids.object_id(image_id, "8"), "mask_origin": "none", "n_parts": 0, "mask": None}
            )
    made["object_categories"] = [
        {"object_category": HOSTILE, "sources": ["paco"], "source_categories": [], "n_objects": 1, "n_images": 1}
    ]
    return made


def make(folder: Path, uris: tuple[str, ...], changes: Mapping[str, list[dict[str, Any]]] | None = None) -> Small:
    """A store in `folder/store` with photographs in `folder/photographs`; `changes` are whole tables."""
    staged = Layout(folder / "store").work / "staging"
    for name, listed in (rows(uris) | dict(changes or {})).items():
        parquet.write(pa.Table.from_pylist(listed, schema(name)), staged / name / f"{name}.parquet", name)
    publish(folder / "store", staged, {}, readme="")
    for i, uri in enumerate(uris):
        path = folder / "photographs" / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        if i == 1:
            exif[0x0112] = 6  # it says that it lies on its side; its masks are made for it as it is stored
        noise = np.random.default_rng(i).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(noise).save(path, "JPEG", exif=exif)
    return Small(folder / "store", folder / "photographs", uris)
