"""Explanatory Part Segmentation questions, true and not to be answered without the image.

settings    what decides which questions are asked
inputs      the tables that they are made from           instances   objects that may be asked about, with their parts
kinds       which categories are broader or narrower     claims      what a category that is only named has and lacks
contrasts   which categories are compared                truth       true answers, and surely wrong ones
buckets     small fixed homes for instances              groups      instances whose answers differ
grouping    from a shard's instances to groups           units       groups that are asked together
asks        which questions a group is asked             blocks      questions with the same text and choices
ungrouped   training questions for what is left          wording     their English
rows        the rows of the tables                       shard       a family of categories, from instances to Parquet
stage       all of a version                             rewording   a share of them in other words
audit       can they be answered blind?
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partonomy_data.questions.settings import TYPES, QuestionSettings
    from partonomy_data.questions.stage import Generated, generate

_HOMES = {"Generated": "stage", "generate": "stage", "TYPES": "settings", "QuestionSettings": "settings"}

__all__ = ["TYPES", "Generated", "QuestionSettings", "generate"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
