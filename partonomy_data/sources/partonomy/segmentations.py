"""One mask of a descriptor: run lengths with more or fewer keys, a polygon, or either in a wrapper."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from partonomy_data.sources.partonomy.photographs import Unusable
from partonomy_data.sources.partonomy.sightings import Integer
from partonomy_data.sources.records import RleJson

_NOT_FINITE = re.compile(rb'"-?(?:NaN|Infinity)"')


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    size: list[Integer]
    counts: str | list[Integer]


class _Loose(msgspec.Struct, gc=False):
    size: list[Integer] | None = None
    counts: str | list[Integer] | None = None
    polygon: Raw | UnsetType = UNSET
    segmentation: Raw | UnsetType = UNSET


_PLAIN = msgspec.json.Decoder(_Plain)
_LOOSE = msgspec.json.Decoder(_Loose)
_RINGS = msgspec.json.Decoder(list[list[float]])
_RING = msgspec.json.Decoder(list[float])


class Drawn(NamedTuple):
    """A mask as it was written; what it says isn't checked here."""

    shape: RleJson | list[list[float]]
    """Run lengths, or rings of x, y in pixels."""
    size: tuple[int, int] | None
    """(height, width) in pixels, if it says so."""
    repairs: tuple[str, ...]
    """The rules that were applied."""


def size_of(size: list[int] | None) -> tuple[int, int] | None:
    """(height, width) if these are two numbers."""
    return (size[0], size[1]) if size is not None and len(size) == 2 else None


def segmentation(raw: Raw) -> Drawn:
    """One mask.

    Raises Unusable (`segmentation_malformed`, `number_not_finite`).
    """
    try:
        return _read(raw, wrapped=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        rule = "number_not_finite" if _NOT_FINITE.search(bytes(raw)) else "segmentation_malformed"
        raise Unusable(rule, f"it is no mask: {error}") from error


def _read(raw: Raw, *, wrapped: bool) -> Drawn:
    if bytes(raw).lstrip().startswith(b"["):
        return Drawn(_rings(raw), None, ("segmentation_polygon",))
    try:
        plain = _PLAIN.decode(raw)
        return Drawn(RleJson(tuple(plain.size), plain.counts), size_of(plain.size), ())
    except msgspec.ValidationError:
        loose = _LOOSE.decode(raw)
    if loose.segmentation is not UNSET and not wrapped:
        inner = _read(loose.segmentation, wrapped=True)
        return inner._replace(repairs=("segmentation_wrapped", *inner.repairs))
    if loose.polygon is not UNSET:
        return Drawn(_rings(loose.polygon), size_of(loose.size), ("segmentation_polygon",))
    if loose.size is None or loose.counts is None:
        raise Unusable("segmentation_malformed", "it has neither size and counts nor a polygon")
    return Drawn(RleJson(tuple(loose.size), loose.counts), size_of(loose.size), ("mask_keys_extra",))


def _rings(raw: Raw) -> list[list[float]]:
    """Rings of x, y from one flat ring, from several, or from a list of points."""
    try:
        rings = _RINGS.decode(raw)
    except msgspec.ValidationError:
        return [_RING.decode(raw)]
    if len(rings) > 1 and all(len(ring) == 2 for ring in rings):
        return [[number for point in rings for number in point]]
    return rings
