"""What a validation may be asked to do differently."""

from __future__ import annotations

import msgspec

from partonomy_data.errors import UsageError


class ValidationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the validation that a build runs before it publishes. None of them changes what a rule means."""

    data_docs: bool = True
    """Whether Great Expectations writes its report into the run's folder, where it is installed."""
    memory: str = "1GB"
    """What DuckDB may use; what doesn't fit is spilled to the store's `work/`."""
    blind_questions: int = 20_000
    """At most about so many questions are answered blind, drawn with all that are asked of their photographs."""
    drift: float = 0.2
    """A distribution that moves farther than this (total variation, 0 to 1) from the parent version's is reported."""

    def checked(self) -> ValidationSettings:
        """Itself. Raises UsageError for what can't be."""
        if self.blind_questions < 0:
            raise UsageError("`validation.blind_questions` can't be negative")
        if not 0 < self.drift <= 1:
            raise UsageError("`validation.drift` must be above 0 and at most 1")
        return self
