"""The key to a language model: where it is found, and how it is kept out of all that is written."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote, urlsplit

from partonomy_data.errors import UsageError
from partonomy_data.llm.settings import LlmSettings

#: What stands in a key's place.
HIDDEN: Final = "[key]"
#: With so many first characters of a key, what follows is taken for the rest of it, whole or cut.
_TELLING: Final = 8
#: Who writes lines about requests and answers, if asked to: a server may repeat a key in the head of its answer.
_LOGGERS: Final = (
    "httpcore2.connection",
    "httpcore2.http11",
    "httpcore2.http2",
    "httpcore2.proxy",
    "httpcore2.socks",
    "httpx2",
    "openai",
    "openai._base_client",
)


def find(settings: LlmSettings, environ: Mapping[str, str] = os.environ) -> str | None:
    """The key from the environment variable that the settings name.

    None where it isn't set, which a server on this machine, or in one's own network, may do without. Raises UsageError,
    which names the variable and never what it holds, where OpenAI itself is asked without one, or a key can't be one.
    """
    key = environ.get(settings.key_env, "").strip()
    if key:
        return checked(key, where=settings.key_env)
    host = urlsplit(settings.endpoint).hostname or ""
    if host == "openai.com" or host.endswith(".openai.com"):
        raise UsageError(
            f"{settings.endpoint} needs a key, and the environment variable {settings.key_env} is not set",
            where="llm.key_env",
            mend=f"Set {settings.key_env}, or name the variable that holds the key",
        )
    return None


def checked(key: str, *, where: str) -> str:
    """The key itself. Raises UsageError if it holds what can't be sent in a header."""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError("the key holds characters that no key has", where=where, mend="Set it once more")
    return key


def scrubbed(text: str, key: str | None) -> str:
    """The text without the key, nor what looks like the beginning of it."""
    if not key:
        return text
    for shape in sorted({key, quote(key, safe="")}, key=len, reverse=True):
        text = text.replace(shape, HIDDEN)
    if len(key) > _TELLING:
        text = re.sub(re.escape(key[:_TELLING]) + r"[^\s\"'<>{}()\[\],;]*", HIDDEN, text)
    return text


@contextmanager
def kept_from_logs(key: str | None) -> Iterator[None]:
    """Scrubs the key from the lines that the packages under a request log, as long as the block lasts."""

    def clean(record: logging.LogRecord) -> bool:
        record.msg, record.args = scrubbed(record.getMessage(), key), None
        return True

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(clean)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(clean)
