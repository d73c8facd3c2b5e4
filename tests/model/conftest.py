"""Fixtures of the model's tests: each family's tiny model, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from model.plum.backbone import Backbone
from tests.model.families import FAMILIES, saved

_Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Torch works in one thread: on tensors this small, threads that wait for each other are what takes the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def folder_of(once: _Once) -> Callable[[str], Path]:
    """`folder_of("llava")`: the folder of that family's tiny model; `llava-tied` for the one with tied embeddings,
    `llava-whole` for one that squeezes photographs rather than crop them. Read only."""

    def make(target: Path, family: str, kind: str) -> None:
        saved(family, target, tied=kind == "tied", whole=kind == "whole")

    def folder(name: str) -> Path:
        family, _, kind = name.partition("-")
        return once(f"backbone-{name}", lambda target: make(target, family, kind))

    return folder


@pytest.fixture(scope="session", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    """Each family in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def backbones(folder_of: Callable[[str], Path]) -> Callable[[str], Backbone]:
    """`backbones("llava")`: that family's tiny model, loaded, without adapters. Read only."""
    found: dict[str, Backbone] = {}

    def backbone(name: str) -> Backbone:
        if name not in found:
            found[name] = Backbone.load(folder_of(name)).eval()
        return found[name]

    return backbone


@pytest.fixture(scope="session")
def backbone(family: str, backbones: Callable[[str], Backbone]) -> Backbone:
    """Each family's tiny model in turn, without adapters. Read only."""
    return backbones(family)
