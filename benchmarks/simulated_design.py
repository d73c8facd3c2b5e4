"""What a simulated store holds: its categories, how common they are, and how well its parts are annotated."""

from __future__ import annotations

from dataclasses import dataclass

from partonomy_data.sources.records import Vocabulary


@dataclass(frozen=True, slots=True)
class Design:
    """What a simulated store holds. Shares and probabilities are from 0 to 1."""

    source: str
    vocabulary: Vocabulary
    weights: tuple[float, ...]
    """How common each of the vocabulary's objects is, in their order."""
    photographs: int
    """The data set's own number, or the one that is usual."""
    collection: str
    """Where the photographs are from ("coco"); empty if they are known by their own name only."""
    splits: tuple[tuple[str, float], ...] = (("", 1.0),)
    """The source's own splits with their shares of the photographs."""
    in_turn: bool = False
    """Photographs show one category after the other, so that all have the same number; else by chance."""
    further_objects: float = 0.0
    """Mean number of objects in a photograph beyond the first."""
    same_again: float = 0.0
    """Probability that a further object has the first one's category."""
    labeled: float = 1.0
    """Share of the objects whose parts were annotated at all; small ones come off worse."""
    annotated: float = 1.0
    """Probability that a visible part of such an object has a mask."""
    exhaustive: float = 0.0
    """Share of the objects of which all visible parts are annotated, and known to be."""
    negative: float = 0.0
    """Probability that a part that is not there is known to be absent."""
    merged: float = 0.0
    """Share of the objects that may stand for several."""
    union_of_parts: bool = False
    """An object is the union of its parts: without any annotated part there is none."""
    one_mask: bool = False
    """Parts of one name in an object share a mask."""
    impossible: float = 0.0
    """Share of the declared pairs of object and part that no object has in life (a gorilla's tail)."""
    commonness: float = 0.5
    """Mean log odds that a part of an object is to be seen."""
