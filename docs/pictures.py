"""The pictures in the pages: makes all of them anew, from a demo store and a real browser.

    python docs/pictures.py [--folder DIR] [NAME …]

In DIR (a temporary folder, if none is given) it runs `partonomy demo` with its training, has two baselines answer, audits the
questions, publishes a second version and writes a report. That takes some minutes, and isn't done again where DIR has it. Then it
writes `docs/pictures/`: screenshots of the explorer and of the report by Chromium, and what the demo prints. It needs the extras
`explore`, `model` and `audit`, Playwright, and Chromium (the system's, or Playwright's own).
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import duckdb
import examples
from PIL import Image

DOCS: Final = Path(__file__).resolve().parent
TARGET: Final = DOCS / "pictures"
#: What a picture may take, in bytes.
LARGEST: Final = 300_000
WIDTH: Final = 1280
_TERMINAL: Final = "demo.svg"
_COLUMNS: Final = 126
#: The two models whose answers are shown side by side: baselines, which take no training.
_MODELS: Final = ("mean-location", "color")


@dataclass(frozen=True, slots=True)
class Screenshot:
    """A page of the explorer (or of the report, if its address ends on `.html`)."""

    view: str
    """Its address below the version's. `{0}` is the answer to `sql`, `{other}` the version before."""
    sql: str = ""
    height: int = 900
    """Pixels of the page, from its top."""
    dark: bool = False
    clicked: str = ""
    """A selector of what is clicked before."""


_BUSY: Final = """SELECT image_id FROM parts JOIN objects USING (object_id, image_id) WHERE parts.source = 'paco'
    GROUP BY image_id HAVING count(DISTINCT object_id) = 3 ORDER BY count(*) DESC, image_id LIMIT 1"""
_QUESTION: Final = """SELECT question_id FROM questions WHERE balanced AND question_type = 'difference' AND source = 'paco'
    AND len(choices) = 3 AND referent = 'box' ORDER BY list_sum(list_transform(choices, lambda c: len(c.text))), 1 LIMIT 1"""
_SQL: Final = """SELECT part_category, n_with_part, n_objects, round(frequency, 2) AS frequency
FROM part_graph
WHERE object_category = 'airplane'
ORDER BY frequency DESC"""
_RESULT: Final = f"""SELECT question_id FROM predictions a JOIN predictions b USING (question_id)
    WHERE a.model_id = '{_MODELS[0]}' AND b.model_id = '{_MODELS[1]}' AND a.conditioning = 'oracle' AND b.conditioning = 'oracle'
    ORDER BY len(a.masks) = 4 DESC, list_sum(list_transform(b.iou, lambda one: one.iou)) DESC, 1 LIMIT 1"""

SCREENSHOTS: Final = {
    "overview.webp": Screenshot(""),
    "category.webp": Screenshot("category?name=car"),
    "part.webp": Screenshot("part?name=wheel"),
    "graph.webp": Screenshot("graph?part=wheel"),
    "photograph.webp": Screenshot("photograph?id={0}", _BUSY),
    "photograph-dark.webp": Screenshot("photograph?id={0}", _BUSY, dark=True),
    "questions.webp": Screenshot("questions?type=difference&balanced=yes&source=paco"),
    "question.webp": Screenshot("question?id={0}", _QUESTION, height=1060, clicked="[data-masks]"),
    "explain.webp": Screenshot("explain?id={0}", _QUESTION),
    "quarantine.webp": Screenshot("quarantine"),
    "audit.webp": Screenshot("reports", height=960),
    "versions.webp": Screenshot("versions", height=420),
    "diff.webp": Screenshot("diff?old={other}"),
    "results.webp": Screenshot(f"results?model={_MODELS[0]}&other={_MODELS[1]}"),
    "result.webp": Screenshot(f"result?id={{0}}&model={_MODELS[0]}&other={_MODELS[1]}", _RESULT),
    "sql.webp": Screenshot("sql?q={0}", f"SELECT $${_SQL}$$"),
    "report.webp": Screenshot("photographs.html", height=1010),
}


def run(folder: Path, *arguments: str) -> str:
    """What `partonomy` prints with these arguments, in `folder`: its progress and its results."""
    print("partonomy", *arguments, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "partonomy_data", *arguments],
        cwd=folder,
        env=examples.environment(COLUMNS=str(_COLUMNS), PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"partonomy {arguments[0]} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout.replace(str(folder), "/home/you")


def prepare(folder: Path) -> None:
    """Makes in `folder` all that pictures are taken of: `demo.txt`, the store `demo`, and `report`, which comes last."""
    if (folder / "report").is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "demo.txt").is_file():
        (folder / "demo.txt").write_text(run(folder, "demo"), encoding="utf-8")
    for model in _MODELS:
        run(folder, "evaluate", "--model", model, "--split", "test")
    run(folder, "audit")
    version = (folder / "demo" / "CURRENT").read_text(encoding="utf-8").strip()
    sources = (f"{name}=demo/demo/{name}" for name in ("paco", "partimagenet", "pascal_part"))
    run(folder, "build", *(word for one in sources for word in ("--source", one)))
    run(folder, "rollback", version)
    run(folder, "report", "--out", "report")


def terminal(text: str) -> str:
    """What the demo prints, as SVG that needs no font from elsewhere."""
    from rich.console import Console
    from rich.text import Text

    console = Console(width=_COLUMNS, record=True, file=io.StringIO(), highlight=False)
    console.print(Text("$ partonomy demo", style="bold"))
    for line in text.rstrip().splitlines():
        console.print(Text(line, style="dim" if re.search(r": done in [\d.]+ s$", line) else ""), soft_wrap=False)
    drawn = console.export_svg(title="partonomy demo", unique_id="demo")
    plain = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return plain.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the explorer of the store in `folder`, while it is served."""
    command = [sys.executable, "-m", "partonomy_data", "explore", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=examples.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split(" shows")[0]
        finally:
            process.terminate()


def screenshots(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Each of the named screenshots as PNG."""
    from playwright.sync_api import sync_playwright

    with duckdb.connect(folder / "demo" / "catalog.duckdb", read_only=True) as tables:
        version = tables.sql("SELECT version FROM current_version").fetchall()[0][0]
        of = {name: tables.sql(SCREENSHOTS[name].sql).fetchall()[0][0] for name in names if SCREENSHOTS[name].sql}
    (other,) = (one.name for one in (folder / "demo" / "versions").iterdir() if one.name != version)
    with served(folder) as address, sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name in names:
            wanted = SCREENSHOTS[name]
            view = wanted.view.format(quote(of.get(name, "")), other=other)
            start = (folder / "report").as_uri() + "/" if view.endswith(".html") else f"{address}v/{version}/"
            yield name, _taken(browser, start + view, wanted)
        browser.close()


def _taken(browser: Any, address: str, wanted: Screenshot) -> bytes:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": wanted.height}, color_scheme="dark" if wanted.dark else "light"
    )
    page = context.new_page()
    answer = page.goto(address, wait_until="networkidle")
    if answer is not None and answer.status >= 400:
        raise SystemExit(f"{address}: {page.inner_text('main')}")
    if wanted.clicked:
        page.locator(wanted.clicked).first.click()
        page.mouse.move(2, 2)
    page.wait_for_function("[...document.images].every(one => one.complete || one.loading === 'lazy')")
    taken: bytes = page.screenshot(animations="disabled")
    context.close()
    return taken


def small(png: bytes) -> bytes:
    """The picture as WebP: photographs take a tenth of a PNG's bytes, and all keep their colors."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(out, "WEBP", quality=88, method=6)
    return out.getvalue()


def main() -> None:
    """Makes the named pictures, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="Where the store is made, if it isn't there yet.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="Pictures to make; all if none is named.")
    given = parser.parse_args()
    names = given.names or [_TERMINAL, *SCREENSHOTS]
    if unknown := set(names) - {_TERMINAL, *SCREENSHOTS}:
        parser.error(f"there is no picture {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as made:
        folder = (given.folder or Path(made)).resolve()
        prepare(folder)
        if _TERMINAL in names:
            _write(_TERMINAL, terminal((folder / "demo.txt").read_text(encoding="utf-8")).encode())
        for name, png in screenshots(folder, [name for name in names if name in SCREENSHOTS]):
            _write(name, small(png))


def _write(name: str, content: bytes) -> None:
    if len(content) > LARGEST:
        raise SystemExit(f"{name} has {len(content):,} bytes, more than {LARGEST:,}")
    (TARGET / name).write_bytes(content)
    print(f"{name}: {len(content):,} bytes", flush=True)


if __name__ == "__main__":
    main()
