"""What decides which split a photograph is in."""

from __future__ import annotations

from typing import Final

import msgspec

from partonomy_data.errors import UsageError

#: All splits. Photographs of the last three show something that no photograph of `train` and `val` shows.
SPLITS: Final = ("train", "val", "test", "test_unseen_object", "test_unseen_part", "test_unseen_pair")
#: Beyond so many bits, photographs of different things are taken for the same one.
MOST_BITS: Final = 8


class SplitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the splits. All of them are in the manifest, and change what is published."""

    seed: int = 0
    val: float = 0.1
    """Share of `val` among photographs whose sources have no splits of their own."""
    test: float = 0.1
    """Share of `test` among them."""
    evaluation_only: tuple[str, ...] = ("partonomy",)
    """Sources whose photographs are all in `test`, and have no say in what is held out."""
    few: int = 10
    """An object category with fewer photographs than this is dealt out evenly instead of by hash alone."""
    near_duplicate_bits: int | None = 4
    """Photographs whose perceptual hashes differ in at most so many of 64 bits are the same; None compares no looks.
    At 4 a copy that was compressed anew or scaled is found, while hashes of different photographs differ in 32 bits
    on average, so that a hundred thousand of them have next to no pair so close by chance."""
    most_alike: int = 30
    """Where more photographs than this look alike, their looks say nothing (blank pages, say) and join none of them."""
    unseen_objects: float = 0.05
    """Share of the object categories that could be held out that are; 0 holds out none."""
    unseen_parts: float = 0.03
    """The same for part names (each with its relatives)."""
    unseen_pairs: float = 0.02
    """The same for pairs of an object category and a part, both of which remain in training."""
    fewest_photographs: int = 5
    """A thing seen in fewer photographs is never held out, and what a hold-out must leave in training is in as many."""
    most_photographs: float = 0.02
    """A thing seen in more than this share of the photographs, and in `few` of them, is never held out."""

    def checked(self) -> SplitSettings:
        """Itself. Raises UsageError for a setting that can't be."""
        for name in ("val", "test", "unseen_objects", "unseen_parts", "unseen_pairs", "most_photographs"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"`{name}` must be 0 to 1, not {getattr(self, name)}")
        if self.val + self.test >= 1:
            raise UsageError(
                f"`val` and `test` must leave some photographs to train on, not {self.val} and {self.test}"
            )
        for name in ("few", "most_alike", "fewest_photographs"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}` must be at least 1, not {getattr(self, name)}")
        if self.near_duplicate_bits is not None and not 0 <= self.near_duplicate_bits <= MOST_BITS:
            raise UsageError(f"`near_duplicate_bits` must be 0 to {MOST_BITS}, not {self.near_duplicate_bits}")
        return self
