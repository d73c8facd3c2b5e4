"""Which language model is asked, for what, and how much it may cost."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from partonomy_data.errors import UsageError

#: What is never an answer's business is left out of these: they may change, and every stored answer is still used.
Transport: TypeAlias = Literal["none", "openai", "openai-batch", "replay"]
TRANSPORTS: Final[tuple[str, ...]] = get_args(Transport)

PURPOSES: Final = ("names", "relations", "plausibility", "wording")


class LlmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that decides what is asked. A key is never part of it: only the name of the place where it is kept."""

    transport: Transport = "none"
    """`openai` asks OpenAI or any server that speaks its protocol, `openai-batch` does so by its Batch API: at half the
    price, and in up to a day; `replay` uses stored answers only."""
    endpoint: str = "https://api.openai.com/v1"
    """Base URL of OpenAI, or of any server that speaks its protocol (vLLM, llama.cpp, Ollama)."""
    model: str = ""
    key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key."""
    key_block: str | None = None
    """A Prefect secret block that holds it; wins over the variable where a flow runs."""
    form: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    """How answers are held to their schema; `auto` tries the strictest that the server takes."""
    seed: int | None = 0
    embeddings: str = ""
    """A model of embeddings of the same endpoint, which finds further names of parts that may be the same; none if empty."""
    concurrency: int = 16
    """Requests on the way at once."""
    timeout_s: float = 120.0
    tries: int = 6
    """Tries of a request that the server can't answer for the moment."""
    answers: str | None = None
    """Folder of the answer store; `answers/` in the store's root if not given."""
    usd: float | None = None
    """Caps of one build."""
    calls: int | None = None
    tokens: int | None = None
    usd_per_million_in: float | None = None
    """Prices, where the model isn't in the list."""
    usd_per_million_out: float | None = None
    usd_per_million_embedded: float | None = None
    """The price of tokens of the model of embeddings."""
    purposes: tuple[str, ...] = PURPOSES
    pack: int | None = None
    """Items in a call, in the place of each purpose's own number."""
    judge: int = 0
    """So many finished questions are shown to the model for a second opinion, which changes nothing."""
    paraphrase: float = 0.0
    """So many percent of the finished questions' texts are worded anew by the model, one by one."""
    ask_refused_again: bool = False
    """Whether items whose answers were refused before are asked about once more; else they stay with the rule."""

    @property
    def enabled(self) -> bool:
        """Whether any model is asked, or any stored answer used."""
        return self.transport != "none"

    def checked(self) -> LlmSettings:
        """Itself. Raises UsageError for what can't be."""
        if self.enabled and not self.model:
            raise UsageError("no language model was named", where="llm.model", mend="Name it with --llm-model")
        for name in self.purposes:
            if name not in PURPOSES:
                raise UsageError(
                    f"there is no purpose {name!r}", where="llm.purposes", mend=f"Known: {', '.join(PURPOSES)}"
                )
        for name in ("concurrency", "tries"):
            if getattr(self, name) < 1:
                raise UsageError(f"`llm.{name}` must be at least 1")
        for name in ("usd", "calls", "tokens", "judge", "timeout_s"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise UsageError(f"`llm.{name}` can't be negative")
        if not 0 <= self.paraphrase <= 100:
            raise UsageError(f"`llm.paraphrase` is a percentage, from 0 to 100, not {self.paraphrase:g}")
        if self.pack is not None and self.pack < 1:
            raise UsageError("`llm.pack` must be at least 1")
        return self


_CAPS: Final = {"usd": float, "calls": int, "tokens": int}


def caps(text: str) -> dict[str, float | int]:
    """`5usd`, `200calls`, `1000000tokens`, or several with commas, as settings. Raises UsageError."""
    found: dict[str, float | int] = {}
    for one in text.replace(" ", "").replace("_", "").lower().split(","):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(usd|calls|tokens)", one)
        if match is None or (match[2] != "usd" and "." in match[1]):
            raise UsageError(f"--budget {text!r} is not a cap", mend="Write it as 5usd, 200calls or 1000000tokens")
        found[match[2]] = _CAPS[match[2]](match[1])
    return found
