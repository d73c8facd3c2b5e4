"""Where models compute: the best device that is there, and one line where it has no room."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from model.plum import devices
from model.plum.errors import ModelError


def test_cuda_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert devices.best().type == kind


def test_a_module_goes_where_it_is_told_or_to_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.placed(nn.Linear(2, 2), "meta").weight.is_meta
    monkeypatch.setattr(devices, "best", lambda: torch.device("meta"))
    assert devices.placed(nn.Linear(2, 2)).weight.is_meta
    assert devices.placed(nn.Linear(2, 2), "cpu").weight.device.type == "cpu"


class Full(nn.Linear):
    """Has no room anywhere."""

    def to(self, *_: Any, **__: Any) -> Full:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 28 GiB\nand more lines")


def test_a_device_without_room_is_one_line() -> None:
    with pytest.raises(
        ModelError, match=r"^there is no room on meta for a model of 0\.0 GiB\. Free some, or set CUDA_"
    ):
        devices.placed(Full(2, 2), "meta")
