"""Following the links of pages."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a page is made of: tags with their attributes, text, and the addresses that it leads to or loads."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all tags of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def addresses(self) -> list[str]:
        """Where its links, pictures, scripts and sheets are, in their order."""
        found = [attributes.get("href") or attributes.get("src") or "" for _, attributes in self.tags]
        return [one for one in found if one and not one.startswith("#")]

    def leading_to(self, view: str) -> list[str]:
        """The addresses of a view of a version."""
        return [one for one in self.addresses if one.startswith("/v/") and one.split("?")[0].endswith(f"/{view}")]
