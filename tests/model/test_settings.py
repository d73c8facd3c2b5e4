"""Settings from YAML: what is refused, in which words, and what a digest depends on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from model import settings
from model.plum.config import PlumConfig
from model.plum.errors import ModelError
from model.plum.losses import LossConfig


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    names: tuple[str, ...] = ("a",)
    pair: tuple[float, float] = (0.9, 0.95)


@dataclass(frozen=True)
class Outer:
    size: int
    kind: Literal["small", "large"] = "small"
    limit: int | None = None
    inner: Inner = field(default_factory=Inner)
    perhaps: Inner | None = field(default_factory=Inner)
    several: tuple[Inner, ...] = ()


def made(**content: Any) -> Outer:
    return settings.convert({"size": 1, **content}, Outer, where="file")


inners = st.builds(
    Inner,
    st.floats(0, 1e9),
    st.lists(st.text("aé漢: ", max_size=3), max_size=3).map(tuple),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
outers = st.builds(
    Outer,
    st.integers(-(2**60), 2**60),
    st.sampled_from(["small", "large"]),
    st.none() | st.integers(0, 9),
    inners,
    st.none() | inners,
    st.lists(inners, max_size=2).map(tuple),
)


@given(outers)
def test_settings_written_as_yaml_or_json_and_read_again_are_equal(whole: Outer) -> None:
    plain = settings.plain(whole)
    for read in (yaml.safe_load(yaml.safe_dump(plain)), json.loads(json.dumps(plain))):
        again = settings.convert(read, Outer)
        assert again == whole
        assert settings.digest(again) == settings.digest(whole)


@given(outers, outers)
def test_digests_are_equal_exactly_where_settings_are(one: Outer, other: Outer) -> None:
    assert (settings.digest(one) == settings.digest(other)) == (one == other)


def test_a_digest_depends_neither_on_the_order_of_keys_nor_on_how_a_zero_is_written() -> None:
    one = made(inner={"rate": 0, "pair": [1, 0.5]}, limit=3)
    other = settings.convert({"limit": 3, "inner": {"pair": [1.0, 0.5], "rate": 0.0}, "size": 1}, Outer)
    assert settings.digest(one) == settings.digest(other)
    assert settings.digest(Outer(1, inner=Inner(rate=0))) == settings.digest(Outer(1, inner=Inner(rate=0.0)))
    assert settings.digest(made(limit=0)) != settings.digest(made(limit=None))


def test_lists_become_tuples_and_null_is_none() -> None:
    found = made(inner={"names": ["x", "y"]}, perhaps=None, several=[{"rate": 2}])
    assert found.inner.names == ("x", "y")
    assert found.perhaps is None
    assert found.several == (Inner(rate=2.0),)
    assert isinstance(found.several[0].rate, float)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"sise": 2}, "unknown setting sise. Did you mean size"),
        ({"inner": {"rat": 1}}, "unknown setting inner.rat. Did you mean inner.rate"),
        ({"perhaps": {"pear": 1}}, "unknown setting perhaps.pear. Did you mean perhaps.pair"),
        ({"several": [{}, {"nams": []}]}, r"unknown setting several\[1\].nams. Did you mean several\[1\].names"),
        ({"zzz": 2}, "unknown setting zzz. Known keys are size, kind, limit, inner, perhaps, several"),
        ({3: 2}, "unknown setting 3"),
        ({"size": "1"}, r"Expected `int`, got `str` - at `\$.size`"),
        ({"size": True}, "Expected `int`, got `bool`"),
        ({"size": 1.5}, "Expected `int`, got `float`"),
        ({"kind": "huge"}, "Invalid enum value 'huge'"),
        ({"inner": None}, r"got `null` - at `\$.inner`"),
        ({"inner": [1]}, "got `array`"),
        ({"inner": {"names": "abc"}}, "Expected `array`, got `str`"),
        ({"inner": {"pair": [1.0]}}, "Expected `array` of length 2, got 1"),
        ({"inner": {"rate": "3e-4"}}, "inner.rate is the text '3e-4', not a number. Write a dot before .*: 3.0e-4"),
    ],
)
def test_what_is_not_a_setting_is_refused_with_its_place_and_a_suggestion(content: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words) as raised:
        made(**content) if all(isinstance(key, str) for key in content) else settings.convert(content, Outer, "file")
    assert raised.value.where == "file"
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [[], "size", 3, False, None])
def test_what_is_no_mapping_is_refused(content: Any) -> None:
    with pytest.raises(ModelError, match="must hold `key: value` lines"):
        settings.convert(content, Outer)


def test_a_setting_that_must_be_given_is_asked_for() -> None:
    with pytest.raises(ModelError, match=r"a setting is missing .*`size`"):
        settings.convert({}, Outer)


def test_what_settings_themselves_refuse_is_told_with_the_file() -> None:
    with pytest.raises(ModelError, match=r"^plum.yaml: `heads` of the mask feedback must be at least 1"):
        settings.convert({"backbone": "b", "feedback": {"heads": 0}}, PlumConfig, where="plum.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size: [1", r"settings.yaml:\d+: is not valid YAML"),
        ("size: 1\n\tkind: small", "settings.yaml:2: is not valid YAML"),
        ("- size", "must hold `key: value` lines"),
        ("false", "must hold `key: value` lines"),
        ("", "a setting is missing"),
        ("[" * 3000, "is not valid YAML"),
        ("!!python/object/apply:os.getcwd []", "is not valid YAML"),
        ("inner: &a {perhaps: *a}\nsize: 1", "unknown setting inner.perhaps"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ModelError, match=words) as raised:
        settings.load(path, Outer)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"kind: \xe9")
    for name, words in (("none.yaml", "can't be read"), (".", "can't be read"), ("latin.yaml", "is not valid YAML")):
        with pytest.raises(ModelError, match=words):
            settings.load(tmp_path / name, Outer)


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes("size: 1\ninner: {names: [é]}\n".encode())
    assert settings.load(tmp_path / "s.yaml", Outer).inner.names == ("é",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"trainable": {"language": "all"}}, "frozen teacher .* other weights of it would train"),
        ({"trainable": {"vision": True}}, "frozen teacher .* other weights of it would train"),
        ({"marking": "seg_token"}, r"with `\[SEG\]` tokens the embeddings train"),
        ({"marking": "seg_token", "losses": {"kl": 0, "choice": 1}}, r"choices without `\[SEG\]` tokens"),
        ({"marking": "seg_token", "losses": {"kl": 0}, "query": {"words": True}}, "doesn't tell one part from another"),
        ({"marking": "seg_token", "losses": {"kl": 0, "patches": 1}}, "doesn't tell one part from another"),
        ({"marking": "seg_token", "losses": {"kl": 0}, "grounding": 0.5}, "by likelihood alone"),
        ({"lora": {"rank": 0}}, "no adapters of rank 0"),
        ({"lora": {"dropout": 1}}, "with dropout 1.0"),
    ],
)
def test_settings_of_a_model_that_contradict_each_other_are_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        settings.convert({"backbone": "b", **content}, PlumConfig).checked()


def test_settings_of_a_model_that_agree_are_taken() -> None:
    for config in (
        PlumConfig("b"),
        PlumConfig("b", marking="seg_token", losses=LossConfig(kl=0)),
        PlumConfig("b", losses=LossConfig(choice=1)),
    ):
        assert config.checked() is config
        assert settings.convert(settings.plain(config), PlumConfig) == config


def test_what_a_file_leaves_out_is_written_down_as_it_was_by_default() -> None:
    """A saved model must not change with a default of later code."""
    partly = made(inner={"rate": 0.25})
    assert settings.plain(partly) == settings.plain(Outer(1, inner=Inner(0.25)))
    assert settings.digest(partly) == settings.digest(Outer(1, inner=Inner(0.25)))
    assert settings.plain(settings.convert({"kl": 0.5}, LossConfig))["span"] == LossConfig().span
