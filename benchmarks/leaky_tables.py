"""Question tables whose leaks are known, made from a small simulated world: what a blind attacker must find, or must not.

    edited        wrong choices are the right one with one or two parts of its family added, left out or replaced
    regrouped     blocks of true answers, but with other partners for every type, so that a photograph's questions can be
                  linked
    grouped       blocks of true answers with the same partners for every type: nothing is to be found
    python benchmarks/leaky_tables.py FOLDER      writes all three there, and the first as the release's JSON too

A world has families of five sibling categories. Siblings share some parts; the first two families' siblings have the
same parts, so that the object needn't be named. What an object shows depends on its category, its size and whether the
border cuts it; of its size only the class matters, so that objects of one class and equally cut are alike in that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.tables import schema

K = 5
TYPES = ("identification", "intersection", "difference", "contrast", "part_to_whole", "whole_to_part")
TWO_TURNS = ("part_to_whole", "whole_to_part")
WIDTH, HEIGHT = 640, 480
Row = dict[str, Any]


@dataclass(frozen=True)
class Instance:
    """An object in a photograph of its own: what is visible of it, its area's logarithm, whether the border cuts it."""

    number: int
    category: str
    visible: frozenset[str]
    log_area: float
    truncated: bool

    @property
    def image_id(self) -> str:
        return f"simulated/{self.number:06d}"

    @property
    def size_class(self) -> tuple[int, bool]:
        """Objects of like size, cut or not: what `grouped` puts together."""
        return _size_class(self.log_area), self.truncated


@dataclass(frozen=True)
class World:
    """Categories with their parts, the siblings of each, and instances."""

    parts: dict[str, tuple[str, ...]]
    siblings: dict[str, tuple[str, ...]]
    twins: frozenset[str]
    """Categories whose siblings have the same parts."""
    instances: tuple[Instance, ...]


@dataclass(frozen=True)
class Tables:
    """Questions with the schema of the table `questions`, and the columns of objects and images that an audit reads."""

    questions: pa.Table
    objects: pa.Table
    images: pa.Table


def world(families: int = 6, per_category: int = 120, seed: int = 0) -> World:
    """A world of `families` of five categories, with as many instances in each category."""
    generator = np.random.default_rng([seed, 1])
    parts: dict[str, tuple[str, ...]] = {}
    siblings: dict[str, tuple[str, ...]] = {}
    twins: set[str] = set()
    instances: list[Instance] = []
    for family in range(families):
        names = [f"{_word(generator)} {family}{chr(97 + one)}" for one in range(K)]
        pool = [f"{_word(generator)} {family}" for _ in range(12)]
        for name in names:
            chosen = pool[:7] if family < 2 else sorted(generator.permutation(pool)[: int(generator.integers(6, 9))])
            parts[name], siblings[name] = tuple(chosen), tuple(other for other in names if other != name)
        twins.update(names if family < 2 else ())
        leaning = {part: generator.normal(0.4, 1.0) for part in pool}
        for name in names:
            for _ in range(per_category):
                instances.append(_instance(len(instances), name, parts[name], leaning, generator))
    return World(parts, siblings, frozenset(twins), tuple(instances))


def _word(generator: np.random.Generator) -> str:
    return "".join(generator.choice(list("bdfgklmnprstvz")) + generator.choice(list("aeiou")) for _ in range(3))


def _size_class(log_area: float) -> int:
    return int(np.floor(log_area / 0.7))


def _instance(
    number: int, category: str, parts: Sequence[str], leaning: dict[str, float], generator: np.random.Generator
) -> Instance:
    log_area = float(generator.normal(-3.0, 1.0))
    truncated = bool(generator.random() < 0.3)
    while True:
        odds = np.array([leaning[part] for part in parts]) + 0.6 * (_size_class(log_area) + 4) - 0.7 * truncated
        seen = generator.random(len(parts)) < 1 / (1 + np.exp(-odds))
        if seen.any():
            return Instance(number, category, frozenset(np.array(parts)[seen].tolist()), log_area, truncated)


def answer(made: World, instance: Instance, kind: str, contrasts: Sequence[str]) -> frozenset[str]:
    """The true answer to a question of the type, against the contrast categories."""
    shared = [frozenset(made.parts[name]) for name in contrasts]
    if kind == "intersection":
        return instance.visible & shared[0]
    if kind == "difference":
        return instance.visible - shared[0]
    if kind == "contrast":
        return (instance.visible & shared[0]) - shared[1]
    return instance.visible


def edited(made: World, seed: int = 0) -> Tables:
    """Every instance is asked one question of each type that has an answer; wrong choices are edits of the right one."""
    rows = []
    for instance in made.instances:
        generator = np.random.default_rng([seed, 2, instance.number])
        named = bool(generator.random() < 0.5)
        family = (instance.category, *made.siblings[instance.category])
        pool = sorted({part for name in family for part in made.parts[name]})
        for kind in TYPES:
            contrasts = _contrasts(made, instance.category, kind, generator)
            right = answer(made, instance, kind, contrasts)
            wrong = _edits(right, pool, generator)
            if not right or len(wrong) < K - 1:
                continue
            order = generator.permutation(K)
            sets = [[right, *wrong][place] for place in order]
            rows.append(
                _row(made, instance, kind, contrasts, named and kind not in TWO_TURNS, sets, int(np.argmin(order)))
                | _objects(made, instance, kind, generator)
            )
    return _tables(made, rows)


def _contrasts(made: World, category: str, kind: str, generator: np.random.Generator) -> tuple[str, ...]:
    number = {"intersection": 1, "difference": 1, "contrast": 2}.get(kind, 0)
    return tuple(generator.permutation(made.siblings[category])[:number].tolist())


def _several_contrasts(made: World, category: str, kind: str, generator: np.random.Generator) -> list[tuple[str, ...]]:
    """Two different contrasts for intersections and differences, one for the other types."""
    names = generator.permutation(made.siblings[category]).tolist()
    number = {"intersection": 1, "difference": 1, "contrast": 2}.get(kind, 0)
    return [tuple(names[:1]), tuple(names[1:2])] if number == 1 else [tuple(names[:number])]


def _edits(right: frozenset[str], parts: Sequence[str], generator: np.random.Generator) -> list[frozenset[str]]:
    """At most four sets, each one or two changes away from the right one."""
    found: list[frozenset[str]] = []
    for _ in range(40):
        changed = set(right)
        for _ in range(int(generator.integers(1, 3))):
            absent = sorted(set(parts) - changed - right)
            present = sorted(changed & right)
            operation = int(generator.integers(3))
            if operation != 1 and absent:
                changed.add(absent[int(generator.integers(len(absent)))])
            if operation != 0 and present:
                changed.discard(present[int(generator.integers(len(present)))])
        new = frozenset(changed)
        if new and new != right and new not in found:
            found.append(new)
        if len(found) == K - 1:
            break
    return found


def regrouped(made: World, seed: int = 0) -> Tables:
    """Blocks of instances of one category whose answers all differ; for every type and contrast others come together."""
    rows: list[Row] = []
    for category in sorted(made.parts):
        members = [one for one in made.instances if one.category == category]
        generator = np.random.default_rng([seed, 3, members[0].number])
        for kind in TYPES:
            for contrasts in _several_contrasts(made, category, kind, generator):
                order = [members[place] for place in generator.permutation(len(members))]
                answers = [answer(made, one, kind, contrasts) for one in order]
                for block in _different(answers):
                    chosen = [order[place] for place in block]
                    rows += _block(made, chosen, kind, contrasts, kind not in TWO_TURNS, seed, None)
    return _tables(made, rows)


def grouped(made: World, seed: int = 0, *, like_sizes: bool = True) -> Tables:
    """Groups of five that are asked the same questions, wherever all their answers differ.

    Members are of like size unless `like_sizes` is false, which leaves size as a hint. Where siblings have the same
    parts, groups are of five siblings, whose object is not named, and asked for; else of one category, and it is named.
    """
    rows: list[Row] = []
    pools: dict[tuple[Any, ...], list[Instance]] = {}
    for one in made.instances:
        family = min(one.category, *made.siblings[one.category])
        home = family if one.category in made.twins else one.category
        pools.setdefault((home, *(one.size_class if like_sizes else ())), []).append(one)
    for key in sorted(pools):
        generator = np.random.default_rng([seed, 4, pools[key][0].number])
        members = [pools[key][place] for place in generator.permutation(len(pools[key]))]
        named = members[0].category not in made.twins
        kinds = [one.category for one in members]
        for group in _different([one.visible for one in members], None if named else kinds):
            rows += _group(made, [members[place] for place in group], named, generator, seed)
    return _tables(made, rows)


def _group(
    made: World, chosen: list[Instance], named: bool, generator: np.random.Generator, seed: int
) -> Iterator[Row]:
    group = f"grp_{min(one.number for one in chosen):016x}"
    for kind in TYPES:
        if named == (kind in TWO_TURNS) or (not named and kind not in (*TWO_TURNS, "identification")):
            continue
        for contrasts in _several_contrasts(made, chosen[0].category, kind, generator):
            answers = [answer(made, one, kind, contrasts) for one in chosen]
            if all(answers) and len(set(answers)) == len(answers):
                yield from _block(made, chosen, kind, contrasts, named, seed, group)


def _different(answers: Sequence[frozenset[str]], kinds: Sequence[str] | None = None) -> Iterator[tuple[int, ...]]:
    """Disjoint fives of places whose answers are not empty and all differ (and whose `kinds` do), first come first served."""
    left = [place for place, one in enumerate(answers) if one]
    while True:
        group: list[int] = []
        for place in left:
            new_kind = kinds is None or kinds[place] not in {kinds[other] for other in group}
            if new_kind and answers[place] not in {answers[other] for other in group}:
                group.append(place)
            if len(group) == K:
                break
        if len(group) < K:
            return
        left = [place for place in left if place not in group]
        yield tuple(group)


def _block(
    made: World,
    chosen: Sequence[Instance],
    kind: str,
    contrasts: Sequence[str],
    named: bool,
    seed: int,
    group: str | None,
) -> list[Row]:
    """The questions of a block: the same text and choices, each right once."""
    sets = [answer(made, one, kind, contrasts) for one in chosen]
    block = f"blk_{TYPES.index(kind)}_{'_'.join(contrasts)}_{min(one.number for one in chosen)}"
    generator = np.random.default_rng([seed, 5, chosen[0].number, TYPES.index(kind)])
    order = generator.permutation(len(chosen)).tolist()
    shuffled = [sets[place] for place in order]
    several = len({one.category for one in chosen}) == len(chosen)
    offered = [chosen[place].category for place in generator.permutation(len(chosen))] if several else None
    return [
        _row(made, one, kind, contrasts, named, shuffled, shuffled.index(sets[place]))
        | _objects(made, one, kind, generator, offered)
        | {"group_id": group, "block_id": block, "balanced": True}
        for place, one in enumerate(chosen)
    ]


def _row(
    made: World,
    instance: Instance,
    kind: str,
    contrasts: Sequence[str],
    named: bool,
    sets: Sequence[frozenset[str]],
    correct: int,
) -> Row:
    thing = instance.category if named else "object"
    question = (
        f"{kind}: what parts of the {thing} in the image" + "".join(f", and the {name}" for name in contrasts) + "?"
    )
    return {
        "question_id": f"qst_{instance.number:06d}_{TYPES.index(kind)}_{'_'.join(contrasts)}",
        "image_id": instance.image_id,
        "object_id": f"obj_{instance.number:06d}",
        "source": "simulated",
        "split": "test",
        "question_type": kind,
        "names_object": named,
        "contrast_categories": list(contrasts),
        "question": question,
        "choices": [
            {
                "text": f"The parts are {', '.join(sorted(one))}.",
                "parts": sorted(one),
                "spans": [],
                "is_correct": place == correct,
                "edits": [],
            }
            for place, one in enumerate(sets)
        ],
        "correct_index": correct,
        "referent": "unique",
        "region": None,
        "group_id": None,
        "block_id": None,
        "balanced": False,
        "chance": 1 / len(sets),
        "evidence": "verified",
        "object_question": None,
        "object_choices": None,
        "correct_object_index": None,
        "object_balanced": None,
        "wording": "simulated",
        "generator_version": "0",
    }


def _objects(
    made: World, instance: Instance, kind: str, generator: np.random.Generator, offered: Sequence[str] | None = None
) -> Row:
    """The object question of two-turn types: the category among its siblings, or among those `offered`."""
    if kind not in TWO_TURNS:
        return {}
    names = list(offered) if offered else generator.permutation([instance.category, *made.siblings[instance.category]])
    choices = [
        {"text": f"It is a {name}.", "object_category": str(name), "is_correct": name == instance.category}
        for name in names
    ]
    return {
        "object_question": "What is the object in the image?",
        "object_choices": choices,
        "correct_object_index": [choice["is_correct"] for choice in choices].index(True),
        "object_balanced": offered is not None,
    }


def _tables(made: World, rows: list[Row]) -> Tables:
    used = {row["image_id"] for row in rows}
    kept = [one for one in made.instances if one.image_id in used]
    objects, images = [], []
    for one in kept:
        area = min(max(np.exp(one.log_area), 1e-4), 0.9) * WIDTH * HEIGHT
        side = float(min(np.sqrt(area), HEIGHT - 20))
        box = [0.0 if one.truncated else 8.0, 8.0, side, side]
        objects.append(
            {"object_id": f"obj_{one.number:06d}", "object_category": one.category, "bbox": box, "area": int(area)}
        )
        images.append({"image_id": one.image_id, "width": WIDTH, "height": HEIGHT, "photograph": one.image_id})
    wanted = schema("objects")
    object_schema = pa.schema([wanted.field(name) for name in ("object_id", "object_category", "bbox", "area")])
    wanted = schema("images")
    image_schema = pa.schema([wanted.field(name) for name in ("image_id", "width", "height", "photograph")])
    return Tables(
        pa.Table.from_pylist(rows, schema("questions")),
        pa.Table.from_pylist(objects, object_schema),
        pa.Table.from_pylist(images, image_schema),
    )


def write(tables: Tables, folder: Path) -> Path:
    """Writes the three tables below `folder`, as a version of a store has them, and returns it."""
    for name in ("questions", "objects", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        pq.write_table(getattr(tables, name), folder / name / f"{name}.parquet", row_group_size=5_000)
    return folder


def reference_json(tables: Tables) -> str:
    """The questions as the release's JSON has them: the right choice first, and no ids but the photograph's path."""
    category = dict(
        zip(tables.objects["object_id"].to_pylist(), tables.objects["object_category"].to_pylist(), strict=True)
    )
    names = {"intersection": "positive", "difference": "negative", "contrast": "difference"}
    records = []
    for row in tables.questions.to_pylist():
        choices = sorted(row["choices"], key=lambda choice: not choice["is_correct"])
        objects = sorted(row["object_choices"] or [], key=lambda choice: not choice["is_correct"])
        types = ["correct"] + ["incorrect"] * (K - 1)
        records.append(
            {
                "image_path": row["image_id"],
                "image_label": category[row["object_id"]],
                "question": row["question"],
                "question_type": names.get(row["question_type"], row["question_type"])
                + ("_with_label" if row["names_object"] else ""),
                "answer_choices": [choice["text"] for choice in choices],
                "answer_types": types,
                "answer_parts": [choice["parts"] for choice in choices],
                "segmentations": {part: [] for part in choices[0]["parts"]},
                "object_question": row["object_question"],
                "object_answer_choices": [choice["text"] for choice in objects] or None,
                "object_answer_types": types if objects else None,
                "object_answer_classes": [choice["object_category"] for choice in objects] or None,
            }
        )
    return json.dumps(records)


def main() -> None:
    folder = Path(sys.argv[1])
    made = world()
    tables = {"edited": edited(made), "regrouped": regrouped(made), "grouped": grouped(made)}
    for name, one in tables.items():
        print(f"{write(one, folder / name)}: {one.questions.num_rows:,} questions")
    (folder / "edited.json").write_text(reference_json(tables["edited"]))


if __name__ == "__main__":
    main()
