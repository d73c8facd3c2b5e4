"""The guard before scipy: sound files pass unchanged, damaged ones are refused, and nothing ends the process."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from partonomy_data.sources.pascal_part import matlab
from partonomy_data.sources.pascal_part.matlab import MatFileError

from .pascal_files import part, square, structs, thing, write_mat

_OBJECTS = (thing("dog", square(1, 1, 9), [part("head", square(1, 1)), part("rear", square(4, 4, 1))]),)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sound file that isn't compressed, so that each byte can be changed."""
    return write_mat(tmp_path_factory.mktemp("sound"), "2008_000001", _OBJECTS, compressed=False).read_bytes()


def _refusal(path: Path) -> MatFileError:
    with pytest.raises(MatFileError) as caught:
        matlab.variable(path, "anno")
    return caught.value


def _same(first: Any, second: Any) -> bool:
    if first.dtype.names is not None or first.dtype == object:
        if first.shape != second.shape or first.dtype != second.dtype:
            return False
        cells = [first[name] for name in first.dtype.names] if first.dtype.names else [first]
        others = [second[name] for name in second.dtype.names] if second.dtype.names else [second]
        return all(
            _same(a, b) if hasattr(a, "dtype") else a == b
            for left, right in zip(cells, others, strict=True)
            for a, b in zip(left.ravel(), right.ravel(), strict=True)
        )
    return bool(np.array_equal(first, second))


@pytest.mark.parametrize("compressed", [True, False])
def test_a_sound_file_is_what_scipy_alone_makes_of_it(tmp_path: Path, compressed: bool) -> None:
    path = write_mat(tmp_path, "2008_000001", _OBJECTS, compressed=compressed)
    assert _same(matlab.variable(path, "anno"), loadmat(path)["anno"])


def test_real_files_are_what_scipy_alone_makes_of_them(shared_data: Path) -> None:
    for path in sorted((shared_data / "pascal_part" / "Annotations_Part").glob("*.mat"))[:6]:
        assert _same(matlab.variable(path, "anno"), loadmat(path)["anno"])


@pytest.mark.parametrize(
    "value",
    [
        np.array([[1.5, -2.0]]),
        np.array([["läng"]]),
        np.zeros((0, 0)),
        np.ones((2, 3, 4), np.int16),
        np.array([[True, False]]),
        structs([{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "yy"}]),
        np.array([["one", "three"]], dtype=object),
    ],
    ids=["numbers", "umlaut", "empty", "three axes", "logical", "structs", "cells"],
)
def test_all_admitted_types_come_through_as_by_scipy(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "x.mat"
    savemat(path, {"other": np.zeros((2, 2)), "anno": value}, do_compression=True)
    assert _same(matlab.variable(path, "anno"), loadmat(path)["anno"])


@pytest.mark.parametrize(
    ("value", "said"),
    [(np.array([[1 + 2j]]), "complex"), ("sparse", "sparse")],
    ids=["complex", "sparse"],
)
def test_types_that_no_annotation_has_are_refused_by_name(tmp_path: Path, value: Any, said: str) -> None:
    from scipy.sparse import csc_matrix

    path = tmp_path / "x.mat"
    savemat(path, {"anno": csc_matrix(np.eye(3)) if isinstance(value, str) else value})
    refusal = _refusal(path)
    assert refusal.rule == "mat_unreadable"
    assert said in refusal.reason


@pytest.mark.parametrize(
    ("content", "rule", "said"),
    [
        (b"", "mat_unreadable", "empty"),
        (b"hello", "mat_unreadable", "not a MATLAB 5 file"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 300, "mat_unreadable", "not a MATLAB 5 file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 300, "mat_version_73", "save -v7"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\0" * 384 + b"\x89HDF", "mat_version_73", "save -v7"),
    ],
)
def test_what_is_no_matlab_5_file_is_refused(tmp_path: Path, content: bytes, rule: str, said: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(content)
    refusal = _refusal(path)
    assert refusal.rule == rule
    assert said in refusal.reason


def test_a_file_without_the_variable_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    savemat(path, {"GTcls": np.ones((3, 3))})
    assert _refusal(path).rule == "anno_missing"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert _refusal(tmp_path / "gone.mat").rule == "mat_unreadable"


@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, compressed: bool) -> None:
    whole = write_mat(tmp_path, "x", _OBJECTS, compressed=compressed).read_bytes()
    path = tmp_path / "cut.mat"
    for length in sorted({*range(0, len(whole), max(1, len(whole) // 60)), len(whole) - 1}):
        path.write_bytes(whole[:length])
        assert _refusal(path).rule in ("mat_unreadable", "anno_missing")


def test_a_bomb_is_refused_before_it_is_inflated_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab, "INFLATED_LIMIT", 1 << 20)
    path = tmp_path / "bomb.mat"
    savemat(path, {"anno": np.zeros((1024, 1025), np.uint8)}, do_compression=True)
    assert path.stat().st_size < 10_000
    assert "inflates to more" in _refusal(path).reason


def test_a_variable_of_exactly_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.mat"
    savemat(path, {"anno": np.zeros((1000, 1000), np.uint8)}, do_compression=True)
    data = path.read_bytes()
    monkeypatch.setattr(matlab, "INFLATED_LIMIT", len(zlib.decompress(data[136:])))
    assert matlab.variable(path, "anno").shape == (1000, 1000)


def test_a_file_larger_than_any_annotation_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_mat(tmp_path, "x", _OBJECTS, compressed=False)
    monkeypatch.setattr(matlab, "_FILE_LIMIT", 100)
    assert "more than any annotation" in _refusal(path).reason


def test_a_type_that_ends_scipy_with_a_segmentation_fault_is_refused(tmp_path: Path, sound: bytes) -> None:
    # The element type of a text becomes 200; scipy looks it up beyond the end of a table of some 20 entries.
    text = sound.index(b"2008_000001")
    path = tmp_path / "x.mat"
    path.write_bytes(sound[: text - 8] + struct.pack("<I", 200) + sound[text - 4 :])
    assert "no known encoding" in _refusal(path).reason


def _with(sound: bytes, at: int, *numbers: int) -> bytes:
    return sound[:at] + struct.pack(f"<{len(numbers)}I", *numbers) + sound[at + 4 * len(numbers) :]


def _lying(sound: bytes) -> list[tuple[str, bytes, str]]:
    """Files that state what their bytes don't bear out: what is changed, the file, and what is said of it."""
    mask_shape = sound.index(struct.pack("<IIii", 5, 8, 12, 16)) + 8
    mask_bytes = sound.index(struct.pack("<II", 2, 12 * 16)) + 4
    objects_shape = sound.index(struct.pack("<IIii", 5, 8, 1, 1), sound.index(b"objects")) + 8
    name_length = sound.index(struct.pack("<HHI", 5, 4, 8))
    return [
        ("more pixels", _with(sound, mask_shape, 12, 17), "shape (12, 17) has 192 bytes"),
        ("terabytes of pixels", _with(sound, mask_shape, 1 << 20, 1 << 20), "has 192 bytes"),
        ("less than none", _with(sound, mask_shape, 12, 0xFFFFFFF0), "the shape (12, -16)"),
        ("a longer element", _with(sound, mask_bytes, 1 << 24), "reaches beyond the one that holds it"),
        ("a shorter element", _with(sound, mask_bytes, 8), "has 8 bytes"),
        ("a million objects", _with(sound, objects_shape, 1, 1 << 20), "values are announced"),
        ("no field names", _with(sound, name_length + 4, 0), "field names of 0 bytes"),
    ]


@pytest.mark.parametrize("number", range(7))
def test_sizes_that_the_bytes_do_not_bear_out_are_refused(tmp_path: Path, sound: bytes, number: int) -> None:
    path = tmp_path / "x.mat"
    _, content, said = _lying(sound)[number]
    assert len(content) == len(sound)
    path.write_bytes(content)
    assert said in _refusal(path).reason


def test_compressed_data_that_ends_early_is_refused_though_its_element_is_whole(tmp_path: Path, sound: bytes) -> None:
    body = zlib.compress(sound[128:])[:-4]
    path = tmp_path / "x.mat"
    path.write_bytes(sound[:128] + struct.pack("<II", 15, len(body)) + body)
    assert "compressed data is cut off" in _refusal(path).reason


_CHANGES = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from([0, 1, 2, 5, 14, 15, 0x7F, 0x80, 0xFF])), min_size=1, max_size=4
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=_CHANGES)
def test_changed_bytes_are_refused_or_read_and_never_end_the_process(
    tmp_path: Path, sound: bytes, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(sound)
    # Most bytes of a file are pixels; what can hurt are the others.
    telling = [i for i in range(120, len(data)) if any(data[max(0, i - 8) : i + 8])]
    for at, value in changes:
        data[telling[at % len(telling)]] = value
    path = tmp_path / "x.mat"
    path.write_bytes(bytes(data))
    try:
        outcome = type(matlab.variable(path, "anno")).__name__
    except MatFileError as error:
        outcome = error.rule
    assert outcome in ("ndarray", "mat_unreadable", "mat_version_73", "anno_missing")
