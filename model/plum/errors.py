"""What can be wrong with what a model is given, or with a model on disk; each is said in one line."""

from __future__ import annotations

from partonomy_data.errors import UsageError


class ModelError(UsageError):
    """A model's files, settings or photographs can't be used as they are."""


class PhotographError(ModelError):
    """A photograph that can't be shown to the model. In training the samples about it are counted and left out."""


class TextError(ModelError):
    """A question or an answer that can't be shown to the model unchanged. In training it is counted and left out."""
