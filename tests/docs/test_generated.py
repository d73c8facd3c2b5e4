"""The generated pages say what the code says, and every rule that a build can report is on them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import partonomy_data
from partonomy_data.rules import Rule
from partonomy_data.sources.base import reader
from schemas.tables import EVALUATION_TABLES, TABLES
from tests.docs.pages import DOCS, PROJECT, examples, script

generate = script("generate")
OUTCOMES = {"repaired", "quarantined", "kept", "refused"}


@pytest.mark.parametrize("page", ["data-dictionary.md", "formats.md"])
def test_generated_pages_are_up_to_date(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == generate.PAGES[page](), "run: make docs"


@pytest.mark.parametrize("fault", ["stale", "missing"])
def test_the_check_tells_a_stale_page_in_one_line(fault: str, tmp_path: Path) -> None:
    shutil.copytree(DOCS / "_intro", tmp_path / "docs" / "_intro")
    for name in ("generate.py", "data-dictionary.md", "formats.md"):
        shutil.copy(DOCS / name, tmp_path / "docs" / name)
    command = [sys.executable, str(tmp_path / "docs" / "generate.py")]
    page = tmp_path / "docs" / "formats.md"
    page.write_text(page.read_text() + "more\n") if fault == "stale" else page.unlink()
    found = examples.run([*command, "--check"], PROJECT)
    assert (found.returncode, found.stdout) == (1, "")
    assert len(found.stderr.splitlines()) == 1
    assert "docs/formats.md" in found.stderr
    assert "data-dictionary" not in found.stderr
    assert examples.run(command, PROJECT).returncode == 0
    assert examples.run([*command, "--check"], PROJECT).returncode == 0
    assert page.read_bytes() == (DOCS / "formats.md").read_bytes()


def sets_of_rules() -> dict[str, tuple[Rule, ...]]:
    return {**{name: reader(name).rules for name in generate.SOURCES}, **generate.SHARED}


@pytest.mark.parametrize("name", [*generate.SOURCES, *generate.SHARED])
def test_rules_are_unique_and_say_what_is_done(name: str) -> None:
    rules = sets_of_rules()[name]
    assert rules
    assert len({rule.name for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.outcome in OUTCOMES, rule.name
        assert rule.name.isidentifier(), rule.name
        assert rule.name == rule.name.lower(), rule.name
        assert rule.quirk.endswith("."), rule.name
        assert rule.how.endswith("."), rule.name


def test_every_rule_and_column_is_on_its_page() -> None:
    formats, dictionary = generate.formats(), generate.data_dictionary()
    for name, rules in sets_of_rules().items():
        for rule in rules:
            assert f"| `{rule.name}` | {rule.outcome} |" in formats, (name, rule.name)
    for table in (*TABLES.values(), *EVALUATION_TABLES.values()):
        section = dictionary.partition(f"## {table.name}\n")[2].partition("\n## ")[0]
        for column in table.columns:
            assert f"| `{column.name}` | `{generate.plain_type(column.type)}` |" in section, (
                table.name,
                column.name,
            )


def test_rows_of_the_generated_tables_have_the_cells_of_their_head() -> None:
    for page in generate.PAGES.values():
        width = 0
        for line in page().splitlines():
            cells = len(line.replace("\\|", "").strip("|").split("|")) if line.startswith("|") else 0
            assert cells == width or not width or not cells, line
            width = cells


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (pa.string(), "string"),
        (pa.float32(), "float32"),
        (pa.float64(), "float64"),
        (pa.bool_(), "bool"),
        (pa.list_(pa.float32(), 4), "float32[4]"),
        (pa.list_(pa.field("element", pa.string(), nullable=False)), "list<string>"),
        (pa.timestamp("us", tz="UTC"), "timestamp[us, UTC]"),
        (pa.timestamp("s"), "timestamp[s]"),
        (
            pa.list_(pa.struct({"size": pa.list_(pa.int32(), 2), "counts": pa.string()})),
            "list<struct<size int32[2], counts string>>",
        ),
    ],
)
def test_types_in_plain_notation(kind: pa.DataType, plain: str) -> None:
    assert generate.plain_type(kind) == plain


def test_angle_brackets_are_escaped_outside_of_code_only() -> None:
    assert generate.cell("a <b> | `<c>|d` e<f") == "a &lt;b> \\| `<c>\\|d` e&lt;f"


def test_rules_that_a_build_reports_are_documented(demo_store: Path) -> None:
    rules = sets_of_rules()
    shared = {rule.name: rule.outcome for name in generate.SHARED for rule in rules[name]}
    with partonomy_data.open(demo_store) as store:
        reported = {source: dict(found) for source, found in store.manifest["rules"].items()}
        rejected = store.table("quarantine", ["source", "rule"]).to_pylist()
    assert set(reported) == set(generate.SOURCES)
    for source, found in reported.items():
        known = {**shared, **{rule.name: rule.outcome for rule in rules[source]}}
        assert set(found) <= set(known), source
        quarantined = {row["rule"] for row in rejected if row["source"] == source}
        assert {known[name] for name in quarantined} <= {"quarantined"}, source
        assert {name for name in found if known[name] == "quarantined"} == quarantined, source
