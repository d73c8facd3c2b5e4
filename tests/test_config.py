"""Settings from a file and from options: strict, with the nearest right key, options winning."""

from __future__ import annotations

from pathlib import Path

import pytest

from partonomy_data import config
from partonomy_data.errors import UsageError


def test_a_file_and_options_make_one_config(tmp_path: Path) -> None:
    path = tmp_path / "build.yaml"
    path.write_text("sources:\n  paco: /data/paco\n  pascal_part: {path: /data/voc, images: /data/jpg}\nlimit: 10\n")
    merged = config.merged(config.load(path), sources={"paco": "/other"}, images={}, workers=2)
    assert merged.sources["paco"].path == "/other"
    assert merged.sources["pascal_part"].images == "/data/jpg"
    assert (merged.limit, merged.workers) == (10, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source: {}", "Did you mean 'sources'"),
        ("sources: [paco]", "must map names to paths"),
        ("sources: {paco: {pth: /x}}", "wrong type"),
        ("limit: many", "wrong type"),
        ("limit: 0", "at least 1"),
        ("a: b: c", "not valid YAML"),
        ("- just a list", "key: value"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "build.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        config.load(path)
    assert "\n" not in str(caught.value)


def test_pairs_are_checked() -> None:
    assert config.pairs(["a=/x", "b=/y=z"], "--source") == {"a": "/x", "b": "/y=z"}
    for wrong in (["a"], ["=x"], ["a="], ["a=1", "a=2"]):
        with pytest.raises(UsageError, match="--source"):
            config.pairs(wrong, "--source")


def test_photographs_need_a_source() -> None:
    with pytest.raises(UsageError, match="no source"):
        config.merged(config.BuildConfig(), sources={}, images={"paco": "/x"})


def test_an_exclusion_file_may_hold_comments(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("b # why\n\n# all comment\na\nb\n")
    assert config.excluded(str(path)) == ("a", "b")
    assert config.excluded(None) == ()
    with pytest.raises(UsageError, match="--exclude"):
        config.excluded(str(tmp_path / "none"))
