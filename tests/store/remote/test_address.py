"""Addresses of stores in buckets: what is one, and what is refused before anything is asked of a server."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import StoreError
from partonomy_data.store.remote.address import Address, address_of

_LETTERS = string.ascii_lowercase + string.digits
BUCKETS = st.builds(
    lambda a, b, c: a + b + c, *(st.text(_LETTERS + extra, min_size=1, max_size=20) for extra in ("", "-.", ""))
)
PARTS = st.text(string.ascii_letters + string.digits + "!_.*'()=-", min_size=1, max_size=12).filter(
    lambda one: one not in (".", "..")
)


@given(BUCKETS.filter(lambda one: len(one) >= 3), st.lists(PARTS, max_size=4))
def test_an_address_survives_text_and_paths(bucket: str, parts: list[str]) -> None:
    address = Address(bucket, "/".join(parts))
    assert address_of(str(address)) == address
    assert address_of(f"{address}/") == address
    assert address_of(Path(str(address))) == address, "pathlib takes one of two slashes away"
    assert address_of(address) is address
    assert address.key("CURRENT").split("/") == [*parts, "CURRENT"]


@given(st.text(min_size=1, max_size=20).filter(lambda one: not one.startswith("s3:")))
def test_folders_are_no_addresses(text: str) -> None:
    assert address_of(text) is None
    assert address_of(f"/data/{text}") is None


@pytest.mark.parametrize("text", ["partonomy", "/s3/x", "./s3:/b", "s3", "S3://bucket", "C:/s3"])
def test_what_only_looks_like_one_is_a_folder(text: str) -> None:
    assert address_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("s3://", "s3:/", "s3://b", "s3://Bucket/x", "s3://bucket_x", "s3://-bucket", "s3://user:secret@bucket/x"),
        *("s3://bucket/../x", "s3://bucket/a/../b", "s3://bucket/./x", "s3://bucket/a//b", "s3://bucket/a b"),
        *("s3://bucket/a?b", "s3://bucket/a#b", "s3://bucket/ä", "s3://bucket/a\nb", "s3://bucket/a\\b"),
    ],
)
def test_what_can_be_no_store_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(StoreError, match="is no address of a store") as told:
        address_of(text)
    assert "\n" not in str(told.value)
