"""The names that may be used in a store's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from partonomy_data.errors import StoreError
from partonomy_data.store.layout import Layout


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdef\n", "0" * 17]
)
def test_only_sixteen_hex_digits_name_a_version(name: str) -> None:
    with pytest.raises(StoreError, match="is not the name of a version"):
        Layout(Path("/store")).version(name)


@pytest.mark.parametrize("model", ["", ".", "..", "a/b", "/a", "a\0b", ".hidden", "-x", "a\\b"])
def test_a_models_folder_stays_in_the_store(model: str) -> None:
    with pytest.raises(StoreError, match="can't name a folder"):
        Layout(Path("/store")).evaluation(model, "0123456789abcdef")


def test_paths_follow_the_published_layout() -> None:
    layout = Layout(Path("/store"))
    assert layout.manifest("0123456789abcdef") == Path("/store/versions/0123456789abcdef/manifest.json")
    assert layout.evaluation("plum-1", "0123456789abcdef") == Path("/store/evaluations/plum-1/0123456789abcdef")
    assert (layout.current, layout.catalog) == (Path("/store/CURRENT"), Path("/store/catalog.duckdb"))
