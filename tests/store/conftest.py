"""A small store made of real files: two sources, ten photographs, their objects, parts and questions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from partonomy_data import masks
from partonomy_data.store import Store, open, parquet, publish, relink
from partonomy_data.store.layout import Layout

HEIGHT, WIDTH = 40, 60
CATEGORIES = ("chair", "dog", "mug")
PART_NAMES = {"chair": ("leg", "seat", "back"), "dog": ("leg", "head", "tail"), "mug": ("handle", "body")}


def rectangle(seed: int) -> np.ndarray:
    """A (HEIGHT, WIDTH) bitmap with one rectangle that depends on `seed` alone."""
    generator = np.random.default_rng(seed)
    top, left = int(generator.integers(0, HEIGHT - 5)), int(generator.integers(0, WIDTH - 5))
    bitmap = np.zeros((HEIGHT, WIDTH), np.uint8)
    bitmap[top : top + 1 + int(generator.integers(1, 5)), left : left + 4] = 1
    return bitmap


def mask_of(seed: int) -> dict[str, object]:
    rle = masks.from_bitmap(rectangle(seed))
    return {"size": [rle.height, rle.width], "counts": rle.counts.decode()}


def tables(n_images: int = 10, seed: int = 0) -> dict[str, pa.Table]:
    """Tables of a small store; another `seed` gives other masks and so another version."""
    images, objects, parts, questions = [], [], [], []
    for i in range(n_images):
        source = "paco" if i % 2 else "pascal_part"
        image_id = f"{source}/{i:04d}"
        images.append(
            {"image_id": image_id, "source": source, "source_split": "train", "uri": f"{i}.jpg"}
            | {"file_name": f"{i}.jpg", "width": WIDTH, "height": HEIGHT, "photograph": image_id}
        )
        category = CATEGORIES[i % 3]
        object_id = f"obj_{i:06x}{0:010x}"
        objects.append(
            {"object_id": object_id, "image_id": image_id, "source": source, "object_category": category}
            | {"source_category": category, "bbox": [1.0, 2.0, 3.0, 4.0], "area": 12, "merged": False}
            | {"mask": mask_of(1000 + i) if i else None, "mask_origin": "annotated" if i else "none"}
            | {"n_parts": len(PART_NAMES[category]), "source_key": str(i)}
        )
        for j, name in enumerate(PART_NAMES[category]):
            parts.append(
                {"part_id": f"prt_{i:06x}{j:010x}", "object_id": object_id, "image_id": image_id}
                | {"source": source, "part_category": name, "source_category": name.upper()}
                | {"bbox": [1.0, 2.0, 3.0, 4.0], "area": 8, "mask": mask_of(seed * 100_000 + 10 * i + j)}
                | {"match_method": "linked", "source_key": f"{i}.{j}"}
            )
        questions.append(question(i, image_id, object_id, source))
    pairs = [(category, name) for category, names in PART_NAMES.items() for name in names]
    graph = [
        {"object_category": category, "part_category": name, "n_objects": 3, "n_with_part": 3}
        | {"frequency": 1.0, "sources": ["paco"], "evidence": "annotated"}
        for category, name in pairs
    ]
    is_a = [("dog", "mammal"), ("mammal", "animal"), ("animal", "entity"), ("chair", "furniture")]
    rows = {
        "images": images,
        "objects": objects,
        "parts": parts,
        "questions": questions,
        "part_graph": graph,
        "category_graph": [{"child": c, "parent": p, "source": "paco"} for c, p in is_a],
    }
    return {name: from_rows(listed, name) for name, listed in rows.items()}


def question(i: int, image_id: str, object_id: str, source: str) -> dict[str, object]:
    choice = {"text": "a leg", "parts": ["leg"], "spans": [{"start": 2, "end": 5, "part": "leg"}]}
    return {
        "question_id": f"qst_{i:06x}{0:010x}",
        "image_id": image_id,
        "object_id": object_id,
        "source": source,
        "split": "train" if i < 6 else "test",
        "question_type": "identification" if i % 2 else "difference",
        "names_object": True,
        "contrast_categories": [],
        "question": "Which parts does the object have?",
        "choices": [choice | {"is_correct": True, "edits": []}, choice | {"is_correct": False, "edits": []}],
        "correct_index": 0,
        "referent": "unique",
        "balanced": False,
        "chance": 0.5,
        "evidence": "unverified",
        "wording": "plain",
        "generator_version": "1",
    }


def from_rows(rows: list[dict[str, object]], name: str) -> pa.Table:
    """Rows as a table of the store's schema; columns that a row lacks are null."""
    schema = parquet.written_schema(name)
    return pa.Table.from_pylist(rows, schema=schema)


def stage(root: Path, content: Mapping[str, pa.Table], name: str = "staged") -> Path:
    """Writes tables into a staged folder of the store in `root`."""
    folder = Layout(root).work / name
    for table, rows in content.items():
        parquet.write(rows, folder / table / "0.parquet", table)
    return folder


def publish_tables(root: Path, seed: int = 0, n_images: int = 10) -> str:
    """Publishes the small store, and returns its version."""
    staged = stage(root, tables(n_images, seed), f"staged-{seed}-{n_images}")
    return publish(root, staged, {"config": {"seed": seed}}, readme="# A small store\n").version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a store in which nothing is yet; a quote and a blank in its name are not uncommon."""
    return tmp_path / "it's a store"


@pytest.fixture(scope="session")
def one_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one version, to make copies of."""
    root = tmp_path_factory.mktemp("one version")
    publish_tables(root)
    return root


@pytest.fixture
def published(root: Path, one_version: Path) -> Path:
    """The folder of a store with one version."""
    shutil.copytree(one_version, root)
    relink(root)
    return root


@pytest.fixture
def store(published: Path) -> Iterator[Store]:
    """That store, open."""
    with open(published) as opened:
        yield opened
