"""Licences of photographs as sources state them: what they are called, and which forbid to pass on what was made of them."""

from __future__ import annotations

import re
from typing import Final

#: COCO's licences by their number in its files, which PACO's photographs keep as `coco/<number>`.
COCO: Final = {
    1: "CC BY-NC-SA 2.0",
    2: "CC BY-NC 2.0",
    3: "CC BY-NC-ND 2.0",
    4: "CC BY 2.0",
    5: "CC BY-SA 2.0",
    6: "CC BY-ND 2.0",
    7: "no known copyright restrictions",
    8: "work of the United States government",
}
#: Creative Commons' element, or the words for it; and what says that nothing is allowed.
_FORBIDS: Final = re.compile(r"(?<![a-z])nd(?![a-z])|no[ -]?deriv|all rights reserved", re.IGNORECASE)


def name(licence: str | None) -> str:
    """What a licence is called: COCO's numbers by name, others as they are stated; `not stated` for none."""
    if not licence:
        return "not stated"
    number = re.fullmatch(r"coco/(\d{1,2})", licence)
    return COCO.get(int(number[1]), licence) if number else licence


def forbids(licence: str | None) -> bool:
    """Whether a licence, as it is stated, forbids to pass on changed copies, as a small one with masks over it is.

    What isn't stated can't be judged, and isn't forbidden here.
    """
    return bool(_FORBIDS.search(name(licence)))
