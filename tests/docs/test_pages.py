"""The pages hang together: links lead somewhere, lists are complete, and what is said of commands is true."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from packaging.requirements import Requirement

import partonomy_data
from partonomy_data import config
from partonomy_data.cli import app
from partonomy_data.taxonomy import overrides, relations
from partonomy_data.taxonomy.judges import METHODS
from schemas.tables import EVALUATION_TABLES, TABLES
from tests.docs.pages import DOCS, PROJECT, README, examples

PAGES = [README, PROJECT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
#: SHA-256 of the Apache License 2.0 as apache.org publishes it, without white space.
APACHE = "ddacef491153f450"


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, place = link.partition("#")
        base = DOCS if page.parent.name == "_intro" else page.parent
        target = (base / path) if path else page
        assert target.exists(), link
        if place:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert place in {anchor(heading) for heading in headings}, link


def test_the_index_lists_every_page() -> None:
    listed = set(links(DOCS / "index.md"))
    assert listed == {page.name for page in DOCS.glob("*.md")} - {"index.md"}


def test_the_readme_lists_the_commands_that_exist() -> None:
    commands = [command for command in app.registered_commands if command.callback]
    exist = {command.name or command.callback.__name__.replace("_", "-") for command in commands if command.callback}
    assert set(re.findall(r"^\| `partonomy ([\w-]+)", README.read_text(encoding="utf-8"), re.MULTILINE)) == exist


def test_commands_and_options_that_pages_name_exist() -> None:
    group = typer.main.get_group(app)
    commands = group.commands
    options = {option for command in (group, *commands.values()) for one in command.params for option in one.opts}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`partonomy ([a-z][a-z-]*)", text):
            assert name in commands, f"{page.name}: partonomy {name}"
        for line in re.findall(r"(?:^\$ |`)partonomy [^`\n]*", text, re.MULTILINE):
            for option in re.findall(r"(?<!\S)--[a-z-]+", line.split('"')[0]):
                assert option in {*options, "--help"}, f"{page.name}: {option}"


def test_the_settings_of_a_build_are_all_described() -> None:
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `--(\w+)", text, re.MULTILINE))
    fields = set(config.BuildConfig.__struct_fields__)
    assert {"source" if name == "sources" else name for name in fields} | {"images", "config", "runner"} == described
    (block,) = [b for b in examples.blocks(DOCS / "operations.md") if b.file == "build.yaml"]
    made = config.convert(yaml.safe_load(block.text))
    assert set(made.sources) == {"pascal_part", "paco"}
    assert made.sources["paco"].images


def test_the_overrides_that_the_taxonomy_page_shows_are_read_and_win(tmp_path: Path) -> None:
    (block,) = [b for b in examples.blocks(DOCS / "taxonomy.md") if b.file == "overrides.yaml"]
    path = tmp_path / "overrides.yaml"
    path.write_text(block.text, encoding="utf-8")
    read = overrides.load(path)
    assert len(read.relations) >= 2
    assert read.names
    parts = {name for row in read.relations for name in (row.part_a, row.part_b)}
    without = {(one.part_a, one.part_b): one for one in relations.judge(parts)}
    with_them = {(one.part_a, one.part_b): one for one in relations.judge(parts, read)}
    for row in read.relations:
        judged = with_them[row.part_a, row.part_b]
        assert (judged.relation, judged.method, judged.confidence) == (row.relation, "override", 1.0)
        before = without.get((row.part_a, row.part_b))
        assert before is None or before.relation != row.relation, "an override that changes nothing shows nothing"
    for name in read.names:
        assert read.canonical(name.source, name.kind or "object", name.name) == name.canonical


def test_the_methods_of_the_taxonomy_page_are_those_of_the_judges() -> None:
    text = (DOCS / "taxonomy.md").read_text(encoding="utf-8")
    table = text.partition("| method | what it decides |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*METHODS, "closure"]


def test_reasons_of_evidence_on_the_matching_page_are_those_of_the_code() -> None:
    from partonomy_data.ingest.evidence import REASONS, STATUSES

    text = (DOCS / "matching.md").read_text(encoding="utf-8")
    assert [reason for reason in REASONS if f"`{reason}`" not in text] == []
    assert {status for status in STATUSES if f"| {status} |" in text} == set(STATUSES)


def test_tables_and_columns_that_pages_name_in_code_exist() -> None:
    every = {**TABLES, **EVALUATION_TABLES}
    columns = {name: {column.name for column in table.columns} for name, table in every.items()}
    for page in [README, *(DOCS / name for name in ("queries.md", "store.md", "taxonomy.md", "matching.md"))]:
        for table, column in re.findall(r"`(\w+)\.(\w+)`", page.read_text(encoding="utf-8")):
            if table in columns:
                assert column in columns[table], f"{page.name}: {table}.{column}"


def test_public_names_in_python_examples_are_public() -> None:
    for page in PAGES:
        for block in examples.blocks(page):
            if block.language == "python":
                for name in re.findall(r"partonomy_data\.(\w+)\(", block.text):
                    assert name in partonomy_data.__all__, f"{block.name}: {name}"


def test_the_pin_that_the_operations_page_names_is_the_one_of_the_extra() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (pin,) = [one for one in extras["flows"] if one.startswith("fastapi")]
    assert re.findall(r"`(fastapi[^`]*)`", (DOCS / "operations.md").read_text(encoding="utf-8")) == [pin]


def test_transformers_is_none_that_lacks_what_is_called() -> None:
    """Gradient checkpointing was called otherwise before 5.23, and processors of 5.0 tell nothing of replacements."""
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (bound,) = [Requirement(one).specifier for one in extras["model"] if one.startswith("transformers")]
    locked = re.findall(
        r"^transformers==(\S+)", (PROJECT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [version in bound for version in ("5.0.0", "5.22.9", *locked)] == [False, False, True]


def test_the_benchmarks_page_lists_what_make_bench_runs() -> None:
    target = (PROJECT / "Makefile").read_text(encoding="utf-8").partition("\nbench:")[2].partition("\n\n")[0]
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert re.findall(r"benchmarks/\w+\.py", target) == re.findall(r"^\| `(benchmarks/\w+\.py)`", text, re.MULTILINE)


def test_the_license_is_the_one_that_the_package_names() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert project["readme"] == README.name
    words = "".join((PROJECT / "LICENSE").read_text(encoding="utf-8").split())
    assert hashlib.sha256(words.encode()).hexdigest().startswith(APACHE)


def test_the_changelog_has_the_current_version_or_is_unreleased() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    headings = re.findall(r"^## \[(.*?)\]", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] in ("Unreleased", version)
