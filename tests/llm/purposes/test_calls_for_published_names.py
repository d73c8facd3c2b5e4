"""What it takes to ask about all of PARTONOMY's published names, counted by a client that sends nothing."""

from __future__ import annotations

from pathlib import Path

from benchmarks import simulated_vocabulary
from partonomy_data.llm.purposes import plausibility, relations
from partonomy_data.llm.session import client
from partonomy_data.llm.settings import LlmSettings
from partonomy_data.taxonomy import graph, names

#: Prompts of the published scripts before their first question: one for each pair of 534 categories.
SCRIPTS = 142_311


def test_all_names_take_less_than_one_call_in_fifty_of_the_published_scripts(shared_data: Path, tmp_path: Path) -> None:
    vocabularies = {"partonomy": simulated_vocabulary.partonomy(shared_data).vocabulary}
    tables = graph.tables([], vocabularies, names.build(vocabularies))
    assert len(tables["part_categories"]) > 900
    settings = LlmSettings(transport="openai", endpoint="http://127.0.0.1:1/v1", model="counted")
    with client(tmp_path, settings, dry=True) as asks:
        relations.judged(asks, tables)
        plausibility.judged(asks, tables, ["partonomy"])
        counted = {name: (one.items, one.calls) for name, one in asks.ledger.table().items()}
        total = asks.ledger.total()
    print(f"{counted}: {total.calls} calls, {total.prompt_tokens + total.completion_tokens:,} tokens at the most")
    assert set(counted) == {"relations", "plausibility"}
    assert 500 < total.calls <= SCRIPTS / 50
    assert total.not_sent == total.items
