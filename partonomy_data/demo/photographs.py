"""From a photograph's number to the photograph: which source it belongs to, what it shows, and how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from partonomy_data.demo import annotate, naming, render
from partonomy_data.demo.keyed import generator
from partonomy_data.demo.runs import LabelRuns
from partonomy_data.demo.scene import Scene, Wanted, compose
from partonomy_data.demo.world import World, build

#: Of fifty photographs, so many belong to each source.
SHARES = {"paco": 17, "partimagenet": 12, "pascal_part": 13, "partonomy": 8}


@dataclass(frozen=True, slots=True)
class Job:
    """One photograph to draw; small, so that it travels to a worker process."""

    world_seed: int
    photo_seed: int
    index: int
    """Among all photographs."""
    source: str
    ordinal: int
    """Among the source's photographs."""
    split: str
    """The source's own split; empty for PARTONOMY, which has none."""
    number: int
    """Among the photographs of the source's split."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A photograph with all that a writer needs."""

    job: Job
    world: World
    scene: Scene
    picture: render.Picture
    runs: LabelRuns
    objects: tuple[annotate.ObjectView, ...]
    """Back to front."""

    def generator(self, *purpose: str | int) -> np.random.Generator:
        """A generator for what the source's file format adds."""
        return generator(self.job.world_seed, self.job.photo_seed, self.job.index, *purpose)


def entries(world: World, source: str) -> list[tuple[int, int, naming.SourceCategory]]:
    """The source's categories as (the world's category, which of its entries, the entry), in the order of its turns."""
    found = [
        (index, number, entry)
        for index, category in enumerate(world.categories)
        for number, entry in enumerate(category.sources.get(source, []))
    ]
    order = generator(world.seed, "turns", source).permutation(len(found))
    return [found[place] for place in order]


def subject(world: World, source: str, ordinal: int) -> tuple[int, int, naming.SourceCategory]:
    """What a photograph is of. Categories take turns; a concept of PARTONOMY has two photographs in a row."""
    turns = entries(world, source)
    turn = ordinal // 2 if source == "partonomy" else ordinal
    return turns[turn % len(turns)]


def class_splits(world: World) -> dict[str, str]:
    """PartImageNet's class → its split; the splits share no class."""
    classes = [entry.name for _, _, entry in entries(world, "partimagenet")]
    few = max(1, round(0.12 * len(classes))), max(1, round(0.2 * len(classes)))
    return {
        name: "val" if place < few[0] else "test" if place < sum(few) else "train" for place, name in enumerate(classes)
    }


def _split(world: World, source: str, ordinal: int, draw: float) -> str:
    if source == "partimagenet":
        return class_splits(world)[subject(world, source, ordinal)[2].name]
    if source == "paco":
        return "train" if draw < 0.74 else "val" if draw < 0.82 else "test"
    return "" if source == "partonomy" else "train" if draw < 0.5 else "val"


def jobs(world_seed: int, photo_seed: int, count: int) -> Iterator[Job]:
    """The first `count` photographs. The same photograph comes out whatever `count` is."""
    world = build(world_seed)
    splits = class_splits(world)
    turns = {source: entries(world, source) for source in SHARES}
    cycle = sorted(((place + 0.5) / share, source) for source, share in SHARES.items() for place in range(share))
    ordinals = dict.fromkeys(SHARES, 0)
    numbers: dict[tuple[str, str], int] = {}
    for index in range(count):
        source = cycle[index % len(cycle)][1]
        ordinal = ordinals[source]
        ordinals[source] += 1
        if source == "partimagenet":
            split = splits[turns[source][ordinal % len(turns[source])][2].name]
        else:
            split = _split(world, source, ordinal, generator(world_seed, photo_seed, index, "split").random())
        number = numbers.get((source, split), 0)
        numbers[source, split] = number + 1
        yield Job(world_seed, photo_seed, index, source, ordinal, split, number)


def _wanted(world: World, job: Job, rng: np.random.Generator) -> list[Wanted]:
    """What the photograph is to show: its subject, maybe more of the same, others of the source, strangers."""
    category, entry, _ = subject(world, job.source, job.ordinal)
    turns = entries(world, job.source)
    known = {index for index, _, _ in turns}
    others = [(index, number) for index, number, _ in turns if index != category]
    unknown = [index for index in range(len(world.categories)) if index not in known]
    if job.source in ("paco", "pascal_part"):
        same = int(rng.choice([0, 1, 2], p=[0.6, 0.26, 0.14]))
        more = int(rng.choice([0, 1, 2, 3], p=[0.36, 0.34, 0.2, 0.1]))
        strangers = int(rng.random() < 0.12)
    else:
        same = int(rng.random() < 0.1)
        more = int(rng.random() < 0.2) if job.source == "partonomy" else 0
        strangers = int(rng.random() < 0.25)
    wanted = [Wanted(category, entry)] * (1 + same)
    for _ in range(more if others else 0):
        index, number = others[int(rng.integers(len(others)))]
        twice = 2 if job.source in ("paco", "pascal_part") and rng.random() < 0.2 else 1
        wanted += [Wanted(index, number)] * twice
    for _ in range(strangers if unknown else 0):
        wanted.append(Wanted(unknown[int(rng.integers(len(unknown)))], stranger=True))
    return wanted[:6]


def draw(job: Job) -> Drawn:
    """The photograph of a job; depends on nothing else."""
    world = build(job.world_seed)

    def keyed(purpose: str) -> np.random.Generator:
        return generator(job.world_seed, job.photo_seed, job.index, purpose)

    scene = compose(world, _wanted(world, job, keyed("subjects")), keyed("scene"))
    return Drawn(
        job=job,
        world=world,
        scene=scene,
        picture=render.render(scene, keyed("pixels")),
        runs=LabelRuns(scene.labels),
        objects=tuple(annotate.views(world, scene, job.source, keyed("annotators"))),
    )
