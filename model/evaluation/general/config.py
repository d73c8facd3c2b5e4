"""How the questions of a general set are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from model import settings
from model.plum.errors import ModelError

#: What stands for the question in a prompt.
PLACE: Final = "{question}"


@dataclass(frozen=True)
class GeneralConfig:
    """The settings."""

    prompt: str = f"{PLACE}\nAnswer the question using a single word or phrase."
    """What is asked, with the question in its place. The default is LLaVA 1.5's for all three sets (Liu et al. 2023)."""
    longest: int = 16
    """Tokens of an answer."""
    at_once: int = 8
    """Questions that are asked together, which changes nothing but speed and memory."""
    seed: int = 0
    """Of what is drawn: the questions under a limit, and the replicates of intervals."""

    def checked(self) -> GeneralConfig:
        """Itself. Raises ModelError for settings that can't be."""
        if self.prompt.count(PLACE) != 1:
            raise ModelError(f"general.prompt must hold {PLACE} once", mend=f"Write it as '{PLACE} Answer briefly.'")
        if self.longest < 1 or self.at_once < 1:
            raise ModelError("general.longest and general.at_once must be at least 1")
        settings.check_seed("general.seed", self.seed)
        return self
