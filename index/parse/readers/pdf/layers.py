"""A document without its invisible layers: what "optional content" hides when a viewer opens the document.

pdfium does not draw invisible layers, but has their text. pypdf says which layers are hidden, and takes out
what they draw. Layers that are hidden on paper alone stay.
"""

from __future__ import annotations

import io
import logging
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Operators that draw, in one marked part of a page: of text, of pictures; and of paths, which are ended.
_DRAWN = {b"Tj", b"TJ", b"Do", b"sh", b"INLINE IMAGE"}
_NEXT_LINE = {b"'", b'"'}
_PAINTED = {b"S", b"s", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"}
_FORMS_MAX = 4


def without_hidden(path: Path) -> bytes | None:
    """The document as a file without what its hidden layers draw; None where no layer is hidden, or where
    pypdf cannot read the document: then all of its text is taken."""
    if not _may_have_layers(path):
        return None
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(path)
        optional = _entry(reader.root_object, "/OCProperties")
        if optional is None or not _Layers(optional).hidden:
            return None
        writer = pypdf.PdfWriter(clone_from=reader)
        layers = _Layers(writer.root_object["/OCProperties"])
        for page in writer.pages:
            _cut_page(writer, page, layers)
        made = io.BytesIO()
        writer.write(made)
    # Damaged documents raise nearly everything here, and pdfium can read most of them.
    except Exception:
        return None
    return made.getvalue()


def _may_have_layers(path: Path) -> bool:
    """Whether the document names layers, or has objects in compressed form, which may."""
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            return False
        with content:
            return content.find(b"/OCProperties") >= 0 or content.find(b"/ObjStm") >= 0


class _Layers:
    """Which optional content is hidden when the document is opened (ISO 32000-1, 8.11.4)."""

    def __init__(self, properties: Any) -> None:
        default = _entry(properties, "/D") or {}
        if _entry(default, "/BaseState") == "/OFF":
            self.hidden = _numbers(_entry(properties, "/OCGs")) - _numbers(_entry(default, "/ON"))
        else:
            self.hidden = _numbers(_entry(default, "/OFF"))

    def hide(self, content: Any) -> bool:
        """Whether content of this layer, or of layers under a condition, is hidden."""
        content = content.get_object()
        if _entry(content, "/Type") != "/OCMD":
            return _number(content) in self.hidden
        if "/VE" in content:
            return not self._shows(content["/VE"])
        layers = _entry(content, "/OCGs")
        listed = layers if isinstance(layers, list) else [layers] if layers is not None else []
        shown = [_number(layer) not in self.hidden for layer in listed if _number(layer)]
        if not shown:
            return False
        holds = {"/AllOn": all(shown), "/AnyOff": not all(shown), "/AllOff": not any(shown)}
        return not holds.get(_entry(content, "/P"), any(shown))

    def _shows(self, condition: Any) -> bool:
        condition = condition.get_object()
        if not isinstance(condition, list):
            return _number(condition) not in self.hidden
        operator, *operands = condition
        shown = [self._shows(operand) for operand in operands]
        if operator == "/Not":
            return not any(shown)
        return all(shown) if operator == "/And" else any(shown)


def _entry(holder: Any, key: str) -> Any:
    """An entry of a dictionary, whether it is in it or has a number; None where there is none."""
    found = holder.get(key)
    return found.get_object() if found is not None else None


def _numbers(listed: Any) -> set[int]:
    return {number for layer in listed or () if (number := _number(layer))}


def _number(layer: Any) -> int:
    """The number of a layer's object; 0 where it has none."""
    reference = getattr(layer, "indirect_reference", None)
    return reference.idnum if reference is not None else getattr(layer, "idnum", 0)


def _cut_page(writer: Any, page: Any, layers: _Layers) -> None:
    from pypdf.generic import ArrayObject, NameObject

    holder = page
    while "/Resources" not in holder and "/Parent" in holder:
        holder = holder["/Parent"]
    resources = _entry(holder, "/Resources")
    names = _hidden_names(resources, layers, _FORMS_MAX) if resources is not None else set()
    if names and (content := page.get_contents()) is not None:
        content.operations = list(_left(content.operations, names))
        page.replace_contents(content)
    if "/Annots" in page:
        notes = [note for note in page["/Annots"] if not _is_hidden(note.get_object(), layers)]
        page[NameObject("/Annots")] = ArrayObject(notes)


def _is_hidden(drawn: Any, layers: _Layers) -> bool:
    return isinstance(drawn, dict) and "/OC" in drawn and layers.hide(drawn["/OC"])


def _hidden_names(resources: Any, layers: _Layers, depth: int) -> set[str]:
    """The names of hidden layers in these resources; forms and pictures that are hidden are taken out."""
    from pypdf.generic import ContentStream, StreamObject

    forms = _entry(resources, "/XObject") or {}
    for name in list(forms):
        form = forms[name]
        if not isinstance(form, StreamObject):
            continue
        if _is_hidden(form, layers):
            del forms[name]
        elif _entry(form, "/Subtype") == "/Form" and "/Resources" in form and depth:
            hidden = _hidden_names(form["/Resources"], layers, depth - 1)
            if hidden:
                content = ContentStream(form, None)
                content.operations = list(_left(content.operations, hidden))
                form.set_data(content.get_data())
    properties = _entry(resources, "/Properties") or {}
    return {name for name, content in properties.items() if layers.hide(content)}


def _left(operations: Any, names: set[str]) -> Iterator[tuple[Any, bytes]]:
    """The operations but those that draw in parts that these layers mark."""
    hidden: list[bool] = []
    for operands, operator in operations:
        if operator in (b"BDC", b"BMC"):
            named = operator == b"BDC" and len(operands) > 1 and operands[0] == "/OC"
            here = named and isinstance(operands[1], str) and operands[1] in names
            hidden.append(here or (bool(hidden) and hidden[-1]))
        elif operator == b"EMC" and hidden:
            hidden.pop()
        elif hidden and hidden[-1]:
            if operator in _DRAWN:
                continue
            if operator in _NEXT_LINE:
                yield [], b"T*"
                continue
            if operator in _PAINTED:
                yield [], b"n"
                continue
        yield operands, operator
