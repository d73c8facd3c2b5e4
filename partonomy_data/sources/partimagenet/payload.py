"""What a shard of PartImageNet tells the worker that reads it."""

from __future__ import annotations

import msgspec


class PartCategory(msgspec.Struct, frozen=True):
    """A part category of one split, in words."""

    name: str
    """As the source spells it ("Car Side Mirror")."""
    supercategory: str
    part: str
    """In plain words ("side mirror"); empty if it isn't a part of its super-category."""


class Context(msgspec.Struct, frozen=True):
    """What a part set says of all its photographs."""

    file: str
    """Of its annotations, for row ids."""
    split: str
    categories: dict[int, PartCategory]


class SetPiece(msgspec.Struct, frozen=True):
    """The photographs of one shard out of one part set."""

    context: Context
    piece: str
    whole: str | None
    """The piece of the file of whole objects that belongs to it."""


class Payload(msgspec.Struct, frozen=True):
    """What `reading.read` needs."""

    root: str
    """The source's folder, for the label maps."""
    pieces: list[SetPiece]
    supercategories: dict[str, str]
    """By wnid."""
