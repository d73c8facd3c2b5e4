"""Calls of a language model, as the version keeps them: what was asked, what it cost, and that no key is in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import pyarrow as pa

from partonomy_data.llm.request import Request
from partonomy_data.validation.rules import Check
from partonomy_data.validation.rules.common import doubled, found
from partonomy_data.validation.subject import ROW, Subject

#: Calls whose requests are read at a time.
_BATCH: Final = 1024
#: What keys of services look like. What stands before one must not make it the middle of a word.
_KEYS: Final = (
    r"(^|[^0-9A-Za-z_-])("
    r"(sk|pk|rk)-[0-9A-Za-z_-]{20,}|gsk_[0-9A-Za-z]{20,}|hf_[0-9A-Za-z]{20,}|gh[opsu]_[0-9A-Za-z]{20,}|AKIA[0-9A-Z]{16}|"
    r"AIza[0-9A-Za-z_-]{30,}|Bearer [0-9A-Za-z._-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY)"
)


def known(table: str, methods: Iterable[str]) -> str:
    """The rows of `table` whose call isn't in `llm_calls`, or which name none though one of `methods` needs it."""
    needing = ", ".join(f"'{one}'" for one in methods)
    return f"""SELECT {ROW[table]} AS row, coalesce('there is no ' || call_id, 'it names no call') AS reason
        FROM {table} ANTI JOIN llm_calls USING (call_id) WHERE call_id IS NOT NULL OR method IN ({needing})"""


def request_hashed(subject: Subject) -> pa.Table:
    """The calls whose `prompt_sha256` isn't the digest of their request."""
    wrong: list[tuple[str, str]] = []
    query = "SELECT call_id, prompt_sha256, request FROM llm_calls"
    for batch in subject.connection.sql(query).to_arrow_reader(_BATCH):
        for call_id, digest, request in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            try:
                due = msgspec.json.decode(request, type=Request).key
            except msgspec.MsgspecError as error:
                wrong.append((call_id, f"its request can't be read ({error})"))
                continue
            if due != digest:
                wrong.append((call_id, f"its request has the digest {due}"))
    return found(wrong)


def _secret(column: str) -> str:
    return f"""SELECT call_id AS row, 'its {column} holds what looks like a key' AS reason FROM llm_calls
        WHERE regexp_matches({column}, '{_KEYS}')"""


CHECKS: Final[Mapping[str, Check]] = {
    "key_unique": doubled("llm_calls"),
    "request_hashed": request_hashed,
    "amounts_not_negative": """SELECT call_id AS row, 'tokens ' || coalesce(prompt_tokens::VARCHAR, '?') || ' + '
            || coalesce(completion_tokens::VARCHAR, '?') || ', cost ' || coalesce(cost_usd::VARCHAR, '?') || ', seconds '
            || coalesce(latency_s::VARCHAR, '?') AS reason FROM llm_calls
        WHERE prompt_tokens < 0 OR completion_tokens < 0 OR cost_usd < 0 OR latency_s < 0""",
    "status_known": """SELECT call_id AS row, status AS reason FROM llm_calls
        WHERE status NOT IN ('received', 'admitted', 'partly admitted', 'refused', 'failed')""",
    "no_secret": f"{_secret('request')} UNION ALL {_secret('response')}",
}
