"""Which instance of a photograph is asked about where models are measured."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data.questions import keyed
from partonomy_data.questions.context import TRAINING
from partonomy_data.splits import HeldOut


class Chosen:
    """All instances of training photographs, and one of every other photograph, by a key of its own.

    A photograph is known by its cluster, whatever sources it is in. In a split of unseen things the instance is one
    that is, or shows, such a thing.
    """

    def __init__(self, seed: int, held_out: HeldOut) -> None:
        self._seed = seed
        self._held_out = held_out
        self._best: dict[str, tuple[int, int, str]] = {}

    def see(self, some: pa.Table) -> None:
        """Looks at the instances of a shard; they have the columns `cluster` and `split`."""
        measured = some.filter(pc.invert(pc.is_in(some["split"], value_set=pa.array(sorted(TRAINING)))))
        names = ("cluster", "object_id", "object_category", "split", "visible")
        for cluster, object_id, category, split, visible in zip(
            *(measured[name].to_pylist() for name in names), strict=True
        ):
            if not self._belongs(split, category, visible):
                continue
            # First a category, each as likely, then one of its instances.
            key = keyed.number(self._seed, cluster, category), keyed.number(self._seed, object_id), object_id
            if cluster not in self._best or key < self._best[cluster]:
                self._best[cluster] = key

    def _belongs(self, split: str, category: str, visible: list[str]) -> bool:
        if split == "test_unseen_object":
            return category in self._held_out.objects
        if split == "test_unseen_part":
            return not self._held_out.parts.isdisjoint(visible)
        if split == "test_unseen_pair":
            return any((category, part) in self._held_out.pairs for part in visible)
        return True

    def filtered(self, some: pa.Table) -> pa.Table:
        """The instances that are asked about."""
        chosen = pa.array([object_id for _, _, object_id in self._best.values()], pa.string())
        training = pc.is_in(some["split"], value_set=pa.array(sorted(TRAINING)))
        return some.filter(pc.or_(training, pc.is_in(some["object_id"], value_set=chosen)))
