"""The errors that users meet. Each says in one line what is wrong, where, and how to mend it.

    PartonomyError
    ├── UsageError        the command or call can't be carried out as given       exit status 2
    │   ├── SourceError   a source (its folder, or one of its files) can't be read
    │   ├── QueryError    a query that is not admitted, or that DuckDB refuses
    │   └── StoreError    the store is missing, damaged, moved, or already being written
    └── MaskError         one mask that can't be used; the row goes to quarantine

A bad *row* never raises as far as the user: it becomes a row of the table `quarantine`.
"""

from __future__ import annotations


class PartonomyError(Exception):
    """Base of all errors raised on purpose."""


def _sentence(clause: str) -> str:
    return clause if clause.endswith((".", "?", "!")) else f"{clause}."


class UsageError(PartonomyError):
    """Wrong use or bad input. The command line prints the one line and ends with status 2."""

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        """`what` is wrong, `where` (a file, a row), and how to `mend` it; each a clause without a full stop."""
        self.what, self.where, self.mend = what, where, mend
        line = f"{where}: {what}" if where else what
        super().__init__(" ".join(_sentence(clause) for clause in (line, mend) if clause))


class SourceError(UsageError):
    """A source's folder or file can't be read as the dataset that it was said to be."""


class QueryError(UsageError):
    """A query that is not one SELECT, or that DuckDB could not carry out."""


class StoreError(UsageError):
    """The store is missing, damaged, has moved, or is being written by another build."""


class MaskError(PartonomyError):
    """A mask that can't be used. `rule` names the rule that it broke, `reason` says how."""

    def __init__(self, rule: str, reason: str) -> None:
        self.rule, self.reason = rule, reason
        super().__init__(f"{rule}: {reason}")
