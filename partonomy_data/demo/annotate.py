"""What the annotators of a source would have labeled in a photograph, and what they left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from partonomy_data.demo import naming
from partonomy_data.demo.scene import Instance, Scene
from partonomy_data.demo.world import Category, World

#: The share of visible parts that a source leaves unlabeled; sources that are not named leave none.
OVERLOOKED = {"paco": 0.075, "partimagenet": 0.075}

ANNOTATED, OVERLOOKED_STATE = "annotated", "unannotated"
#: PACO: the row is there, its mask is `[]`.
WITHOUT_MASK = "without_mask"
#: The object is labeled, its parts were not asked for.
PARTS_SKIPPED = "parts_skipped"
#: The source knows no such category.
FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class PartView:
    """A visible part, by the source's name."""

    part: naming.SourcePart
    concepts: tuple[str, ...]
    """What the world calls the parts that it covers."""
    labels: tuple[int, ...]
    """The label-map values that show it, nested parts included."""
    pixels: int
    state: str


@dataclass(frozen=True, slots=True)
class ObjectView:
    """A visible object."""

    number: int
    """Its place in the scene, from the back."""
    instance: Instance
    category: Category
    entry: naming.SourceCategory | None
    """The category as the source has it, None where it has not."""
    labels: tuple[int, ...]
    pixels: int
    state: str
    parts: tuple[PartView, ...]
    """Every visible part that the source has a name for, annotated or not."""


def _parts(
    category: Category, entry: naming.SourceCategory, instance: Instance, visible: np.ndarray
) -> list[tuple[naming.SourcePart, tuple[int, ...], int]]:
    """The source's parts that show at least one pixel, with their labels and numbers of pixels."""

    def labels_of(slots: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(
            sorted(
                {instance.labels[inner] for slot in slots for inner in category.within[slot] if instance.labels[inner]}
            )
        )

    def pixels_of(labels: tuple[int, ...]) -> int:
        return int(visible[list(labels)].sum()) if labels else 0

    shown = [slot for slot, label in enumerate(instance.labels) if label and pixels_of(labels_of((slot,))) > 0]
    found = naming.parts(entry, category.slot_names, shown, instance.figure.flipped)
    return [(part, labels, pixels_of(labels)) for part in found for labels in [labels_of(part.slots)]]


def _concepts(category: Category, part: naming.SourcePart) -> tuple[str, ...]:
    return tuple(dict.fromkeys(category.slots[slot].part for slot in part.slots))


def _object_states(scene: Scene, source: str, rng: np.random.Generator) -> list[str]:
    """By instance, whether the source labels it. Only PACO leaves objects of its own categories out."""
    states = [FOREIGN if item.wanted.stranger else ANNOTATED for item in scene.instances]
    if source != "paco":
        return states
    kept = {item.wanted.category for item in scene.instances[:1]}
    for category in sorted({item.wanted.category for item in scene.instances}):
        same = [
            n for n, item in enumerate(scene.instances) if item.wanted.category == category and states[n] == ANNOTATED
        ]
        skip_all, skip_one, which = rng.random(), rng.random(), rng.random()
        if category not in kept and skip_all < 0.08:
            for number in same:
                states[number] = OVERLOOKED_STATE
        elif len(same) > 1 and skip_one < 0.2:
            states[same[int(which * len(same))]] = OVERLOOKED_STATE
    for number, draw in enumerate(rng.random(len(states))):
        if draw < 0.012 and states[number] == ANNOTATED:
            states[number] = WITHOUT_MASK
    return states


def _part_states(count: int, source: str, object_state: str, rng: np.random.Generator) -> list[str]:
    """By part, whether the source labels it; at least one part of a labeled object is."""
    if object_state not in (ANNOTATED, WITHOUT_MASK):
        return [object_state] * count
    draws, keep = rng.random((count, 2)), int(rng.integers(max(count, 1)))
    if source == "paco" and rng.random() < 0.12:
        return [PARTS_SKIPPED] * count
    share = OVERLOOKED.get(source, 0.0)
    states = []
    for number, (overlooked, blank) in enumerate(draws):
        if overlooked < share and number != keep:
            states.append(OVERLOOKED_STATE)
        elif source == "paco" and blank < 0.012 and number != keep:
            states.append(WITHOUT_MASK)
        else:
            states.append(ANNOTATED)
    return states


def views(world: World, scene: Scene, source: str, rng: np.random.Generator) -> list[ObjectView]:
    """The objects of a scene as `source` sees them, back to front, with all that is truly visible of each."""
    found = []
    for number, (instance, state) in enumerate(zip(scene.instances, _object_states(scene, source, rng), strict=True)):
        category = world.categories[instance.wanted.category]
        entry = None if instance.wanted.stranger else category.sources[source][instance.wanted.entry]
        parts = _parts(category, entry, instance, scene.visible) if entry else []
        states = _part_states(len(parts), source, state, rng)
        labels = tuple(label for label in instance.labels if label)
        found.append(
            ObjectView(
                number=number,
                instance=instance,
                category=category,
                entry=entry,
                labels=labels,
                pixels=int(scene.visible[list(labels)].sum()),
                state=state,
                parts=tuple(
                    PartView(
                        part,
                        tuple(dict.fromkeys(category.slots[slot].part for slot in part.slots)),
                        members,
                        pixels,
                        part_state,
                    )
                    for (part, members, pixels), part_state in zip(parts, states, strict=True)
                ),
            )
        )
    return found
