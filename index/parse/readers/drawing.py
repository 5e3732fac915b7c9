"""Charts and diagrams of Office files: the words that are drawn, which no text of the document holds."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from lxml import etree

from index.parse.outline import squeeze
from index.parse.readers.values import shown_number

#: Points of a series: more are a curve, of which nobody reads the values.
_POINTS_MAX = 100
_RELATIONS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


class Drawn(NamedTuple):
    """A chart or a diagram."""

    labels: list[str]
    """Titles of a chart and of its axes, the texts of a diagram."""
    rows: list[list[str]]
    """Of a chart: the names of its series, and for each category their values."""


def drawn(graphic: Any, part: Any) -> Drawn:
    """What a frame of graphics (`a:graphicData`) shows that its part has relations to."""
    for tag, attribute, read in (("chart", "id", chart), ("relIds", "dm", diagram)):
        node = graphic.find(f"{{*}}{tag}")
        relation = None if node is None else part.rels.get(node.get(f"{_RELATIONS}{attribute}"))
        if relation is not None and not relation.is_external:
            return read(root_of(relation.target_part))
    return Drawn([], [])


def root_of(part: Any) -> Any:
    """The document element of a part of a package."""
    return etree.fromstring(part.blob, etree.XMLParser(resolve_entities=False))


def lines(node: Any) -> list[str]:
    """The paragraphs of a text, breaks inside them as newlines; blank ones are left out."""
    found = []
    for paragraph in node.iter("{*}p"):
        pieces = paragraph.iter("{*}t", "{*}br")
        text = "".join("\n" if piece.tag.endswith("}br") else piece.text or "" for piece in pieces)
        if text.strip():
            found.append(text)
    return found


def chart(root: Any, *, own: bool = True) -> Drawn:
    """Those of a chart. Not `own`: its series stand in cells of the same document, and are left out."""
    titles = [_text(title) for title in root.iter("{*}title")]
    series = root.findall(".//{*}ser") if own else []
    columns = [_series(one) for one in series]
    categories: dict[int, str] = {}
    for one in series:
        categories = _points(one, "cat", "xVal") or categories
        if categories:
            break
    values = [_points(one, "val", "yVal") for one in series]
    places = sorted(set(categories).union(*values))[: _POINTS_MAX + 1]
    rows = [["", *columns]] if any(columns) else []
    if len(places) > _POINTS_MAX:
        places = []
    rows += [[categories.get(at, ""), *(points.get(at, "") for points in values)] for at in places]
    labels = [_text(label) for one in series for label in one.iterfind(".//{*}dLbl/{*}tx")]
    return Drawn([text for text in [*titles, *labels] if text], rows)


def diagram(root: Any) -> Drawn:
    """The texts of a diagram, from the top of its tree."""
    texts = {}
    for point in root.iter("{*}pt"):
        if point.get("type", "node") in ("node", "asst", "doc"):
            texts[point.get("modelId")] = _text(point)
    below: defaultdict[str | None, list[tuple[int, str]]] = defaultdict(list)
    for line in root.iter("{*}cxn"):
        if line.get("type", "parOf") == "parOf" and line.get("destId") in texts:
            below[line.get("srcId")].append((int(line.get("srcOrd", 0)), line.get("destId")))
    tops = set(texts) - {name for lines in below.values() for _, name in lines}
    found: dict[str, str] = {}
    waiting = [name for name in reversed(texts) if name in tops]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = texts[name]
            waiting += [inner for _, inner in sorted(below[name], reverse=True)]
    return Drawn([text for text in found.values() if text], [])


def _series(series: Any) -> str:
    named = series.find("{*}tx")
    return "" if named is None else " ".join(_points_of(named).values()) or _text(named)


def _points(series: Any, *tags: str) -> dict[int, str]:
    for tag in tags:
        source = series.find(f"{{*}}{tag}")
        if source is not None:
            return _points_of(source)
    return {}


def _points_of(source: Any) -> dict[int, str]:
    """The texts of a series by their places, as they were last drawn."""
    found: dict[int, str] = {}
    # The innermost of several levels of categories comes first.
    for point in source.iter("{*}pt"):
        cache = point.getparent()
        style = point.get("formatCode") or cache.findtext("{*}formatCode") or ""
        text = squeeze(point.findtext("{*}v") or "")
        number = cache.tag.endswith("numCache") or cache.tag.endswith("numLit")
        at = int(point.get("idx", 0))
        found[at] = f"{shown_number(text, style) if number else text} {found.get(at, '')}".strip()
    return found


def _text(node: Any) -> str:
    """The paragraphs of a text, on one line; else the cached value of the cell that it is taken from."""
    text = squeeze(" ".join(lines(node)))
    return text or squeeze(" ".join(v.text or "" for v in node.iter("{*}v")))
