"""Keys are found where the settings say, and are not found anywhere else."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import UsageError
from partonomy_data.llm import keys
from partonomy_data.llm.settings import LlmSettings

KEY = "sk-proj-0123456789abcdef"


def settings(**more: Any) -> LlmSettings:
    return LlmSettings(transport="openai", model="small", **more)


def test_the_key_is_in_the_variable_that_the_settings_name() -> None:
    environ = {"OPENAI_API_KEY": "other", "OURS": f" {KEY}\n"}
    assert keys.find(settings(key_env="OURS"), environ) == KEY
    assert keys.find(settings(), environ) == "other"


def test_the_environment_is_looked_at_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", KEY)
    assert keys.find(settings(key_env="OURS")) == KEY


@pytest.mark.parametrize(
    "endpoint", ["https://api.openai.com/v1", "https://API.openai.com/v1/", "https://eu.api.openai.com/v1"]
)
@pytest.mark.parametrize("environ", [{}, {"OURS": ""}, {"OURS": " \n"}, {"OPENAI_API_KEY": KEY}])
def test_openai_can_t_be_asked_without_and_the_line_names_the_variable(endpoint: str, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="OURS") as raised:
        keys.find(settings(endpoint=endpoint, key_env="OURS"), environ)
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:80/v1", "http://gpu.lan:8000/v1"]
)
def test_other_servers_may_do_without(endpoint: str) -> None:
    assert keys.find(settings(endpoint=endpoint), {}) is None
    assert keys.find(settings(endpoint=endpoint), {"OPENAI_API_KEY": KEY}) == KEY


@pytest.mark.parametrize("key", ["schlüssel", "two words", "a\x00b", "a\nb"])
def test_what_can_be_no_key_is_not_said_again(key: str) -> None:
    with pytest.raises(UsageError, match="OURS") as raised:
        keys.find(settings(key_env="OURS"), {"OURS": key})
    assert key not in str(raised.value)


SECRETS = st.text(st.sampled_from("abcXYZ019-_.+/="), min_size=12, max_size=60)


@given(key=SECRETS, before=st.text(), after=st.text(), times=st.integers(1, 3))
def test_no_text_holds_a_key_after_scrubbing(key: str, before: str, after: str, times: int) -> None:
    text = f"{before} {key}{after}" * times + quote(key, safe="")
    cleaned = keys.scrubbed(text, key)
    assert key not in cleaned
    assert quote(key, safe="") not in cleaned
    assert keys.HIDDEN in cleaned


@given(key=SECRETS, cut=st.integers(9, 60))
def test_the_beginning_of_a_key_is_as_good_as_a_key(key: str, cut: int) -> None:
    assert keys.scrubbed(f"bad key: {key[:cut]} here", key) == f"bad key: {keys.HIDDEN} here"


@given(text=st.text())
def test_without_a_key_nothing_is_scrubbed(text: str) -> None:
    assert keys.scrubbed(text, None) == text
    assert keys.scrubbed(text, "") == text


def test_a_text_without_the_key_stays_as_it_is() -> None:
    assert keys.scrubbed("no server at http://127.0.0.1", KEY) == "no server at http://127.0.0.1"


def test_packages_log_no_key_as_long_as_it_is_kept_from_them(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("httpcore2.http11")
    with caplog.at_level(logging.DEBUG):
        with keys.kept_from_logs(KEY):
            logger.debug("headers=%r", [(b"location", f"/?key={KEY}".encode())])
        filters = list(logger.filters)
    assert "location" in caplog.text
    assert KEY not in caplog.text
    assert filters == []
