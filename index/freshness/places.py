"""Places of a source: where a path leads that a document names, as forges and generators of sites follow it.

A path is *dead* only when that can be told: it would have to be in a listing, and is not. Addresses that a
server may make (a route without a suffix, a page that a generator writes) are in doubt, and stay so.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import unquote

#: Suffixes of pages as authors write them, and as servers show them.
_SOURCES = frozenset({"md", "markdown", "mdx", "rst", "org", "adoc", "txt", "html", "htm", "xhtml", "ipynb"})
_SERVED = frozenset({"html", "htm", "xhtml"})
_SUFFIX = re.compile(r"\.([A-Za-z][A-Za-z0-9]{0,9})\Z")
#: Documents that stand for their folder, first choice first.
_INDEX = ("readme", "index", "_index", "home")
#: Pages that generators make.
_GENERATED = frozenset(
    {"genindex", "modindex", "py-modindex", "search", "404", "sitemap", "feed", "rss", "tags"}
)
#: Signs of a template, a placeholder or a query, none of a path.
_UNCLEAR = re.compile(r"[{}<>$*|\[\]\\^`]|%[({]|\.\.\.|…|@|:|\bpath/to/")


class Place(NamedTuple):
    """Where a path leads."""

    uri: str
    """Of the document; of a dead path, where it would have to be."""
    dead: bool = False


#: It leads somewhere, or nobody can tell.
IN_DOUBT = Place("")


class Places:
    """The places of one source."""

    def __init__(self, uris: Iterable[str], hides: Callable[[str], bool] = lambda _: False) -> None:
        self._hides = hides
        self._files: dict[str, str] = {}
        self._folders: set[str] = {""}
        self._pages: dict[str, str] = {}
        """Uris by path without suffix."""
        self._named: defaultdict[str, list[str]] = defaultdict(list)
        """Paths, with and without suffix, by their last name; folders, too."""
        self._html: set[str] = set()
        """Folders of pages as they are served."""
        for uri in uris:
            self._add(_key(uri), uri)

    def _add(self, path: str, uri: str) -> None:
        self._files[path] = uri
        folder, _, name = path.rpartition("/")
        self._named[name].append(path)
        stem, suffix = _split(path)
        if suffix in _SOURCES:
            self._pages.setdefault(stem, uri)
            self._named[stem.rpartition("/")[2]].append(stem)
        if suffix in _SERVED:
            self._html.add(folder)
        while folder not in self._folders:
            self._folders.add(folder)
            folder, _, name = folder.rpartition("/")
            self._named[name].append(f"{folder}/{name}".lstrip("/"))

    def namesakes(self, uri: str) -> list[str]:
        """The documents whose file has the same name."""
        name = _key(uri).rpartition("/")[2]
        return [self._files[path] for path in self._named.get(name, ()) if path in self._files]

    def seen_from(self, uri: str, path: str) -> Place:
        """The place that a document at this uri means by a path, which has neither query nor fragment."""
        plain = unquote(path)
        if _UNCLEAR.search(plain) or not plain.isprintable():
            return IN_DOUBT
        if plain.startswith("/"):
            return self._from_root(plain)
        target = _joined(uri.rpartition("/")[0], plain)
        if target is None:
            return IN_DOUBT
        found = self._there(target)
        if found is not None:
            return found
        _, suffix = _split(target)
        if suffix not in _SOURCES or suffix in _SERVED:
            # A page "a/b.md" may be served as "a/b/", and its links start there.
            served = _joined(_split(uri)[0], plain)
            if served is not None and (found := self._there(served)) is not None:
                return found
        return self._judged(target, plain)

    def at(self, path: str, *, stem: bool) -> Place:
        """The place at a path from the root, as a template of links has it; `stem`: without its suffix."""
        target = _joined("", unquote(path).strip("/"))
        if target is None or _UNCLEAR.search(unquote(path)):
            return IN_DOUBT
        found = self._there(target)
        if found is not None:
            return found
        key = _key(target)
        folder, _, name = key.rpartition("/")
        if stem and not _split(key)[1]:
            # The template says that no page has another address; a folder that is there tells it from an app.
            known = folder and folder in self._folders and name not in self._named and name not in _GENERATED
            return Place(target, dead=True) if known and not self._hides(target) else IN_DOUBT
        return self._judged(target, target)

    def _from_root(self, plain: str) -> Place:
        """A path from the root: of the source, or of a site that some folder of it holds."""
        target = _joined("", plain.strip("/"))
        if target is None:
            return IN_DOUBT
        found = self._there(target)
        if found is not None:
            # The folder of a site's root is another one than that of its source.
            return IN_DOUBT if _key(target) in self._folders else found
        key = _key(target)
        tail = f"/{key}"
        stem, suffix = _split(key)
        stemmed = f"/{stem}"
        named = [*self._named.get(key.rpartition("/")[2], ())]
        if suffix in _SERVED:
            named += self._named.get(stem.rpartition("/")[2], ())
        if any(path.endswith((tail, stemmed)) for path in named):
            return IN_DOUBT
        first = key.partition("/")[0]
        if suffix in _SOURCES - _SERVED and first in self._folders and "/" in key:
            return self._judged(target, target)
        return IN_DOUBT

    def _there(self, target: str) -> Place | None:
        """What is there, exactly or as a site serves it; None when nothing is."""
        key = _key(target)
        if key in self._files:
            return Place(self._files[key])
        if key in self._folders:
            pages = (self._pages.get(f"{key}/{name}".lstrip("/")) for name in _INDEX)
            return Place(next((page for page in pages if page), ""))
        stem, suffix = _split(key)
        if suffix in _SERVED and stem in self._pages:
            return Place(self._pages[stem])
        if (
            suffix in _SERVED
            and stem.rpartition("/")[2] == "index"
            and stem.rpartition("/")[0] in self._folders
        ):
            return self._there(stem.rpartition("/")[0])
        # "a.html.md" is served as "a.html", and "a.md" as "a".
        return Place(self._pages[key]) if key in self._pages else None

    def _judged(self, target: str, plain: str) -> Place:
        """A path at which nothing is: dead, or in doubt."""
        key = _key(target)
        folder, _, name = key.rpartition("/")
        stem, suffix = _split(name)
        if stem in _GENERATED or self._hides(target):
            return IN_DOUBT
        if not suffix:
            # A route: pages may have any.
            return IN_DOUBT
        if suffix in _SERVED and folder not in self._html:
            return IN_DOUBT
        tail = f"/{_key(plain)}"
        if suffix not in _SOURCES and any(path.endswith(tail) for path in self._named.get(name, ())):
            # Pictures and the like that a site has elsewhere than its pages.
            return IN_DOUBT
        return Place(target, dead=True)


def _joined(folder: str, path: str) -> str | None:
    """The path from the root, without dots; None outside of the root."""
    parts = [part for part in folder.split("/") if part]
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _split(path: str) -> tuple[str, str]:
    """(path without suffix, suffix in lower case without its dot)."""
    found = _SUFFIX.search(path)
    return (path[: found.start()], found[1].lower()) if found else (path, "")


def _key(uri: str) -> str:
    """Paths are compared without case, and whatever form their accents have: some file systems do so."""
    plain = uri if uri.isascii() and "%" not in uri else unicodedata.normalize("NFC", unquote(uri))
    return plain.casefold()
