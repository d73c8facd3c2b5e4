"""The pages of a report, read strictly: what isn't closed, or closed out of turn, is an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

#: Elements that have no end.
VOID = {"meta", "link", "input", "br", "img", "hr"}


@dataclass
class Table:
    """A table by its rows, each with the texts of its cells; the first is the head."""

    rows: list[list[str]] = field(default_factory=list)

    @property
    def head(self) -> list[str]:
        return self.rows[0]

    def cells(self) -> dict[tuple[str, str], str]:
        """By the name of the row and of the column."""
        return {(row[0], name): cell for row in self.rows[1:] for name, cell in zip(self.head, row, strict=True)}

    def numbers(self) -> dict[tuple[str, str], int]:
        """The same, of the columns after the first, as numbers."""
        return {key: int(cell.replace(",", "")) for key, cell in self.cells().items() if key[1] != self.head[0]}


class Page(HTMLParser):
    """A page: its tags with their attributes, its text, its tables by id."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.tables: dict[str, Table] = {}
        self.headings: list[int] = []
        self._open: list[str] = []
        self._table: Table | None = None
        self._cell: list[str] | None = None
        self.source = path.read_text("utf-8")
        self.feed(self.source)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._table = self.tables.setdefault(dict(attrs).get("id") or f"table {len(self.tables)}", Table())
        elif tag == "tr" and self._table is not None:
            self._table.rows.append([])
        elif tag in ("th", "td"):
            self._cell = []
        elif len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> without a start"
        assert self._open[-1] == tag, f"</{tag}> closes <{self._open[-1]}> at {self.getpos()}"
        self._open.pop()
        if tag in ("th", "td") and self._cell is not None and self._table is not None:
            self._table.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None
        elif tag == "table":
            self._table = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell is not None:
            self._cell.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all tags of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def addresses(self) -> list[str]:
        """Where its links, pictures and sheets are."""
        names = ("href", "src", "srcset", "data", "action", "xlink:href", "poster")
        return [value for _, attributes in self.tags for name in names if (value := attributes.get(name)) is not None]


def pages(folder: Path) -> dict[str, Page]:
    """The pages of a report by name."""
    return {path.name: Page(path) for path in sorted(folder.glob("*.html"))}


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their place in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
