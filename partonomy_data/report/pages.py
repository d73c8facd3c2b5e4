"""The pages: what each is given, from which template, and under which name it lies in the folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from partonomy_data.explore.formatting import FILTERS
from partonomy_data.explore.runs import builds
from partonomy_data.photographs import licences
from partonomy_data.photographs.places import Photographs
from partonomy_data.report import checks, counting, figures, limits, models, plots, sampling, showing
from partonomy_data.report.folder import sign
from partonomy_data.report.pictures import Pictures
from partonomy_data.report.reading import Reading
from partonomy_data.store import Store

#: Photographs, and object categories, of a page; there are more pages where there are more.
_PER_PAGE: Final = 24
_CATEGORIES: Final = 250
#: Photographs of the first page.
_FEW: Final = 6
_STYLE: Final = "assets/report.css"
_GRAPH: Final = "SELECT * FROM part_graph ORDER BY object_category, frequency DESC, part_category"
_KINDS: Final = "SELECT * FROM object_categories ORDER BY object_category"
_WORDED: Final = "SELECT generator_version AS name, count(*) AS n FROM questions GROUP BY ALL ORDER BY ALL"
#: Pages that the navigation leads to: file, name, what is there.
NAVIGATION: Final = (
    ("index.html", "Overview", "what this version is"),
    (
        "numbers.html",
        "Numbers",
        "rows by table, source, split and type, and how parts, masks and questions are distributed",
    ),
    ("taxonomy.html", "Taxonomy", "object categories with their parts, and how often these are seen"),
    ("photographs.html", "Photographs", "a sample, with the masks of parts over them"),
    ("questions.html", "Questions", "a sample of each type, with the right choice and the masks that it names"),
    ("checks.html", "Checks", "validation, audit, splits and leakage, quarantine, repairs"),
    ("results.html", "Results", "what models came to on the questions"),
    ("sources.html", "Sources", "licences, files that were read, settings, the language model's share"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is shown of it."""

    samples: int
    seed: int
    plain: frozenset[str]


class _Folder:
    """The folder with its pages, each written as soon as it is made."""

    def __init__(self, folder: Path, given: Mapping[str, Any]) -> None:
        self._folder, self._given, self._templates = folder, given, environment()
        self.pages = 0

    def page(self, file: str, template: str, *, title: str, section: str = "", **context: Any) -> None:
        """Writes a page. `section`: the page of the navigation that it belongs to, if that isn't itself."""
        text = self._templates.get_template(template).render(
            title=title, section=section or file, navigation=NAVIGATION, style=_STYLE, **self._given, **context
        )
        (self._folder / file).write_bytes(text.encode())
        self.pages += 1

    def paged(self, file: str, template: str, items: Sequence[Any], per_page: int, **context: Any) -> None:
        """Writes as many pages as the items need, and one where there are none; they lead to each other."""
        names = [_numbered(file, place) for place in range(max(1, -(-len(items) // per_page)))]
        for place, name in enumerate(names):
            shown = items[place * per_page : (place + 1) * per_page]
            around: dict[str, Any] = {"others": names, "place": place, "total": len(items), "items": shown}
            self.page(name, template, section=file, **around, **context)


@cache
def environment() -> jinja2.Environment:
    """The templates, with the explorer's beside them, compiled once. Whatever isn't markup of a template is text, and escaped."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PackageLoader("partonomy_data.report", "templates"),
                jinja2.PrefixLoader({"explore": jinja2.PackageLoader("partonomy_data.explore", "templates")}),
            ]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    made.filters |= FILTERS
    made.filters |= {"letter": showing.letter, "licence": licences.name}
    return made


def _clean(value: Any) -> Any:
    """What a template puts into a page, without characters that pages can't hold."""
    return plots.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def fill(
    folder: Path, store: Store, runs_of: Path, found: Photographs, settings: Settings, progress: Any = None
) -> tuple[int, int, list[str]]:
    """Fills the folder with the pages of a version; `runs_of` is the store whose runs tell of it.

    Returns how many pages and how many small photographs there are, and notes.
    """
    reading, pictures = Reading(store), Pictures(folder, found, settings.plain)
    if progress is not None:
        progress.stage("reporting", 4)
    counts = counting.count(reading)
    licensed = limits.stated(reading)
    checked = checks.check(reading, runs_of)
    known = limits.limits(reading, counts, licensed)
    _step(progress)
    ids = sampling.photographs(reading, settings.samples, settings.seed)
    shown = [one for image_id in ids if (one := showing.photograph(reading, pictures, image_id))]
    asked_ids = sampling.questions(reading, settings.samples, settings.seed)
    asked = [two for question_id in asked_ids if (two := showing.question(reading, pictures, question_id))]
    _step(progress)
    _copy_style(folder)
    made = _Folder(folder, _everywhere(reading, runs_of, settings))
    made.page(
        "index.html", "index.html", title="Overview", counts=counts, known=known, checked=checked,
        few=sorted(shown, key=lambda one: one.picture.file is None)[:_FEW],
    )  # fmt: skip
    made.page(
        "numbers.html", "numbers.html", title="Numbers", counts=counts, shown_tables=counting.SHOWN,
        figures=list(figures.of_parts(reading)), asked_figures=list(figures.of_questions(reading, counts)),
        known_figures=list(figures.of_knowledge(reading)),
    )  # fmt: skip
    _step(progress)
    made.paged("taxonomy.html", "taxonomy.html", list(_taxonomy(reading)), _CATEGORIES, title="Taxonomy", counts=counts)
    made.paged("photographs.html", "photographs.html", shown, _PER_PAGE, title="Photographs", counts=counts)
    made.paged("questions.html", "questions.html", asked, _PER_PAGE, title="Questions", counts=counts)
    made.page("checks.html", "checks.html", title="Checks", checked=checked, counts=counts, known=known)
    made.page(
        "results.html", "results.html", title="Results", results=models.results(reading), headlines=models.HEADLINES
    )
    made.page(
        "sources.html", "sources.html", title="Sources", counts=counts, licensed=licensed, shares=models.shares(reading, runs_of),
        settings_of_build=json.dumps(reading.manifest.get("config"), indent=2, sort_keys=True, ensure_ascii=False),
    )  # fmt: skip
    sign(folder, {"version": reading.version, "samples": settings.samples, "seed": settings.seed})
    _step(progress)
    absent = {one.image_id: one.picture.why for one in (*shown, *(one.shown for one in asked)) if one.picture.why}
    notes = [f"photographs shown that have a plain ground in their place: {len(absent)}"] if absent else []
    return made.pages, len(list(folder.glob("assets/photographs/*"))), notes + counts.disagreements


def _everywhere(reading: Reading, runs_of: Path, settings: Settings) -> dict[str, Any]:
    """What every page is given."""
    runs = builds(runs_of, reading.version)
    return {
        "version": reading.version,
        "manifest": reading.manifest,
        "settings": settings,
        "built": _when(runs[0]) if runs else "",
        "built_by": runs[0] if runs else "",
        "generators": reading.rows(_WORDED),
    }


def _when(run: str) -> str:
    """When a run began, by its name: `2026-11-26 18:36`."""
    stamp = run.split("-")[0]
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[9:11]}:{stamp[11:13]}" if len(stamp) == 16 else ""


def _taxonomy(reading: Reading) -> Iterator[dict[str, Any]]:
    """Object categories, each with what is known of it (`kind`, None where no object has it) and its `parts`."""
    parts: dict[str, list[Any]] = {}
    for row in reading.rows(_GRAPH):
        parts.setdefault(row["object_category"], []).append(row)
    kinds = {row["object_category"]: row for row in reading.rows(_KINDS)}
    for name in sorted(parts.keys() | kinds.keys()):
        yield {"name": name, "kind": kinds.get(name), "parts": parts.get(name, [])}


def _copy_style(folder: Path) -> None:
    """The explorer's stylesheet and the report's, as one file; the explorer's icon."""
    (folder / "assets").mkdir(exist_ok=True)
    static = files("partonomy_data.explore").joinpath("static")
    own = files("partonomy_data.report").joinpath("static", "report.css")
    (folder / _STYLE).write_bytes(static.joinpath("explorer.css").read_bytes() + b"\n" + own.read_bytes())
    with static.joinpath("icon.svg").open("rb") as icon, (folder / "assets" / "icon.svg").open("wb") as copy:
        shutil.copyfileobj(icon, copy)


def _numbered(file: str, place: int) -> str:
    """The name of a further page: `photographs-2.html`."""
    return file if place == 0 else f"{file.removesuffix('.html')}-{place + 1}.html"


def _step(progress: Any) -> None:
    if progress is not None:
        progress.advance()
