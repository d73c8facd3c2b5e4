"""What decides which questions are asked, and how."""

from __future__ import annotations

from typing import Final

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.splits import SplitSettings

#: All question types, in the order in which a photograph's share of questions is filled.
TYPES: Final = ("identification", "intersection", "difference", "contrast", "part_to_whole", "whole_to_part")
#: Types that ask for the object too; they never name it.
TWO_TURNS: Final = ("part_to_whole", "whole_to_part")
#: The one of them that asks for the object first.
OBJECT_FIRST: Final = "whole_to_part"
#: How many other object categories a type names.
CONTRASTS: Final = {"intersection": 1, "difference": 1, "contrast": 2}


class QuestionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the questions. All of them are in the manifest, and change what is published."""

    enabled: bool = True
    """Whether questions are made at all."""
    seed: int = 0
    types: tuple[str, ...] = TYPES
    """Question types to publish. A type's questions are the same whichever others are published."""
    choices: int = 5
    """Choices of a question; down to three where a category allows no more."""
    min_part_pixels: int = 16
    """A part whose visible pixels are fewer is not asked for, and no wrong choice is one by that part alone."""
    max_questions: int = 8
    """At most so many questions about one object."""
    curated_sources: tuple[str, ...] = ("paco", "partonomy")
    """Sources whose authors chose the parts of each category. In the others a list of parts serves a whole kind of
    objects, and says less of what a category lacks."""
    splits: SplitSettings = SplitSettings()

    def checked(self) -> QuestionSettings:
        """Itself. Raises UsageError for a setting that can't be."""
        for name in self.types:
            if name not in TYPES:
                raise UsageError(f"there is no question type {name!r}", mend=f"Types are {', '.join(TYPES)}")
        if not 3 <= self.choices <= 9:
            raise UsageError(f"`choices` must be 3 to 9, not {self.choices}")
        for name, least in (("min_part_pixels", 1), ("max_questions", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"`{name}` must be at least {least}, not {getattr(self, name)}")
        self.splits.checked()
        return self
