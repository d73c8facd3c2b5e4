"""Licences as sources state them."""

from __future__ import annotations

import pytest

from partonomy_data.photographs import licences


@pytest.mark.parametrize(
    ("licence", "name", "forbidden"),
    [
        ("coco/1", "CC BY-NC-SA 2.0", False),
        ("coco/3", "CC BY-NC-ND 2.0", True),
        ("coco/4", "CC BY 2.0", False),
        ("coco/6", "CC BY-ND 2.0", True),
        ("coco/99", "coco/99", False),
        (None, "not stated", False),
        ("", "not stated", False),
        ("https://creativecommons.org/licenses/by-nd/4.0/", None, True),
        ("Attribution-NoDerivs License", None, True),
        ("All rights reserved", None, True),
        ("land use, understood", None, False),
    ],
)
def test_licences_that_allow_no_changed_copies_are_known(
    licence: str | None, name: str | None, forbidden: bool
) -> None:
    assert licences.name(licence) == (name or licence)
    assert licences.forbids(licence) is forbidden
