"""A client with all that it needs, for the time of a build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from partonomy_data.errors import UsageError
from partonomy_data.llm import keys
from partonomy_data.llm.apart import Apart
from partonomy_data.llm.cache import AnswerStore
from partonomy_data.llm.client import Client, Told
from partonomy_data.llm.settings import LlmSettings
from partonomy_data.llm.transport import Replay, Transport
from partonomy_data.store.layout import Layout


def folder_of(root: Path, settings: LlmSettings) -> Path:
    """Where the answer store is."""
    return Path(settings.answers) if settings.answers else Layout(root).answers


@contextmanager
def client(
    root: Path,
    settings: LlmSettings,
    *,
    key: str | None = None,
    dry: bool = False,
    told: Told | None = None,
) -> Iterator[Client]:
    """The client of a build of the store at `root`. With `dry` nothing is sent.

    `key` is the secret itself where the caller has it (a flow, from its block); else it is looked for where the
    settings say. Raises UsageError.
    """
    with ExitStack() as stack:
        transport = None if dry else _transport(settings, key, folder_of(root, settings))
        if transport is not None:
            stack.callback(transport.close)
        store = stack.enter_context(AnswerStore(folder_of(root, settings)))
        if settings.ask_refused_again and not dry:
            store.forget_refused((*settings.purposes, "paraphrase") if settings.paraphrase else settings.purposes)
        yield Client(settings, store, transport, told=told)


def _transport(settings: LlmSettings, key: str | None, folder: Path) -> Transport:
    if settings.transport == "replay":
        return Replay()
    if find_spec("openai") is None:
        raise UsageError(
            f"--llm {settings.transport} needs openai, which is not installed",
            mend="Run: pip install 'partonomy-data[llm]'",
        )
    key = key if key is not None else keys.find(settings)
    endpoint, timeout_s, tries = settings.endpoint, settings.timeout_s, settings.tries
    if settings.transport == "openai-batch":
        from partonomy_data.llm.batch import Batch

        return Batch(folder, endpoint=endpoint, key=key, timeout_s=timeout_s, tries=tries)
    return Apart(endpoint=endpoint, key=key, concurrency=settings.concurrency, timeout_s=timeout_s, tries=tries)
