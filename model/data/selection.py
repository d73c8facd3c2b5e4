"""Which questions a model is trained or measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from model.plum.errors import ModelError

TYPES: Final = ("identification", "intersection", "difference", "contrast", "part_to_whole", "whole_to_part")


@dataclass(frozen=True)
class OtherConfig:
    """Other data than the store's questions."""

    kind: Literal["referring", "semantic", "conversations"]
    """See `model.data.others`."""
    annotations: str
    """A JSON file: COCO's, or LLaVA's for `conversations`."""
    images: str
    """The folder of its photographs."""


@dataclass(frozen=True)
class DataConfig:
    """What is taken from the store."""

    splits: tuple[str, ...] = ("train",)
    types: Mapping[str, float] = field(default_factory=dict)
    """Question type, or name in `others`, → how often it comes, against the others, whatever there are of each. Empty: all as
    often as there are."""
    sources: tuple[str, ...] = ()
    """Names of sources; all if empty."""
    photographs: Mapping[str, str] = field(default_factory=dict)
    """Source → the folder of its photographs, where it isn't the one that the version was built from."""
    others: Mapping[str, OtherConfig] = field(default_factory=dict)
    """Other data in the mixture, by a name of its own."""
    limit: int | None = None
    """At most so many samples, those of least key."""
    together: int = 1
    """At most so many questions about one view of a photograph come in a step together, and share its embedding."""
    choices: int | None = None
    """At most so many of a question's choices are compared in the loss `choice`: the right one and others, drawn by key anew in
    each epoch. All if not given."""
    longest: int | None = None
    """Tokens that a text may have; longer ones are left out and counted. The model's own limit if not given."""

    def checked(self) -> DataConfig:
        """The same. Raises ModelError."""
        for kind, weight in self.types.items():
            if kind not in TYPES and kind not in self.others:
                known = ", ".join((*TYPES, *self.others))
                raise ModelError(f"no question is of type {kind!r}", mend=f"Types are {known}")
            if weight < 0:
                raise ModelError(f"type {kind!r} can't come {weight} times as often")
        if self.types and not sum(self.types.values()):
            raise ModelError("all types have the weight 0", mend="Give one of data.types a weight")
        for name in self.others:
            if name in TYPES or not name.replace("-", "_").isidentifier():
                raise ModelError(f"other data can't be called {name!r}", mend="Name it in letters, digits, - and _")
        if self.together < 1:
            raise ModelError(f"data.together must be at least 1, not {self.together}")
        if self.choices is not None and self.choices < 2:
            raise ModelError(f"data.choices must be at least 2, not {self.choices}", mend="Set losses.choice to 0")
        return self
