"""What an audit may be asked to do differently."""

from __future__ import annotations

import msgspec

from partonomy_data.errors import UsageError


class AuditSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of an audit. The same settings on the same questions give the same report."""

    seed: int = 0
    folds: int = 5
    """Parts into which questions are dealt for cross-fitting."""
    replicates: int = 2000
    """Bootstrap replicates."""
    train_questions: int = 12_000
    """At most about so many questions train the learned attackers."""
    iterations: int = 80
    """Trees of a learned attacker."""
    level: float = 0.95
    """Coverage of the intervals."""

    def checked(self) -> AuditSettings:
        """Itself. Raises UsageError for a setting that can't be."""
        least = {"folds": 2, "replicates": 100, "train_questions": 1, "iterations": 1}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise UsageError(f"`{name}` must be at least {smallest}, not {getattr(self, name)}")
        if not 0.5 <= self.level < 1:
            raise UsageError(f"`level` must be at least 0.5 and under 1, not {self.level}")
        return self
