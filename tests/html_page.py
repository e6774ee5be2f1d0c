"""What a browser would make of a page, and what every page must hold to."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def assert_harmless(found: Page) -> None:
    """Nothing runs and nothing is loaded, even by a browser that ignores the page's security policy."""
    tags = {tag for tag, _ in found.elements}
    assert not tags & {"script", "iframe", "object", "embed", "link", "base", "form", "input", "foreignobject"}
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action", "srcset", "data"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/jpeg;base64,")), (tag, value)
        assert "http:" not in (attributes.get("style") or "")


def assert_accessible(found: Page) -> None:
    """Pictures have words, headings are in order, tables have headers, what scrolls can be reached by keys."""
    levels = [int(tag[1]) for tag, _ in found.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    regions = [attributes.get("aria-label") for _, attributes in found.elements if attributes.get("role") == "region"]
    assert all(regions)
    assert len(regions) == len(set(regions))
    for tag, attributes in found.elements:
        assert tag != "html" or attributes["lang"]
        assert tag != "img" or attributes["alt"]
        assert tag != "svg" or (attributes["role"] == "img" and attributes["aria-label"])
        assert tag != "th" or attributes["scope"] in ("col", "row", "colgroup")
        assert (attributes.get("class") == "scroll") == (attributes.get("role") == "region")
        assert attributes.get("class") != "scroll" or attributes["tabindex"] == "0"
        if (attributes.get("href") or "").startswith("#") and tag == "a":
            assert (attributes["href"] or "")[1:] in ids
    assert found.count("thead") == found.count("table")
