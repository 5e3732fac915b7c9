"""Links to the pages where hosting services show a file of a branch or tag."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from connectors.git.settings import Place

#: (pattern of a file, pattern of the whole). ``{kind}`` is branch or tag.
_GITHUB = ("{site}/blob/{ref}/{path}", "{site}/tree/{ref}")
_GITLAB = ("{site}/-/blob/{ref}/{path}", "{site}/-/tree/{ref}")
_BITBUCKET = ("{site}/src/{ref}/{path}", "{site}/src/{ref}/")
_GITEA = ("{site}/src/{kind}/{ref}/{path}", "{site}/src/{kind}/{ref}")
_AZURE = ("{site}?path=/{path}&version={version}", "{site}?version={version}")
#: Of the default branch, which the other services call HEAD.
_GITEA_HEAD = ("{site}/src/{path}", "{site}")
_AZURE_HEAD = ("{site}?path=/{path}", "{site}")


def links(place: Place, branch: str | None, tag: str | None) -> tuple[str, Callable[[str], str]]:
    """(link of the repository at this branch or tag, function from a percent-encoded path to the link of that
    file). Where the host is none that is known: the address, and the address with the path as fragment.
    """
    host, ref = _web_host(place), branch or tag
    patterns, site = _patterns(host, ref is None), f"https://{host}/{quote(place.path, safe='/%~')}"
    if patterns is None:
        address = place.address if "://" in place.address else f"ssh://{place.address.replace(':', '/', 1)}"
        return address, lambda path: f"{address}#{path}"
    if patterns in (_AZURE, _AZURE_HEAD):
        site = _azure(place)
    said = {
        "site": site,
        "kind": "branch" if tag is None else "tag",
        "ref": quote(ref or "HEAD"),
        "version": f"{'GB' if tag is None else 'GT'}{quote(ref or '', safe='')}",
    }
    file, whole = patterns
    return whole.format(path="", **said), lambda path: file.format(path=path, **said)


def _web_host(place: Place) -> str:
    """The host of the pages. Over http(s) they have the port of the repository, over ssh another."""
    if place.scheme != "ssh":
        return place.address.partition("://")[2].partition("/")[0]
    host = place.host.lower()
    return {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}.get(host, host)


def _patterns(host: str, default: bool) -> tuple[str, str] | None:
    name = host.partition(":")[0].lower()
    first = name.partition(".")[0]
    if name == "dev.azure.com" or name.endswith((".dev.azure.com", ".visualstudio.com")):
        return _AZURE_HEAD if default else _AZURE
    if name == "bitbucket.org":
        return _BITBUCKET
    if first == "github":
        return _GITHUB
    if first == "gitlab":
        return _GITLAB
    if first in ("gitea", "forgejo") or name in ("codeberg.org", "codefloe.com"):
        return _GITEA_HEAD if default else _GITEA
    return None


def _azure(place: Place) -> str:
    """The page of a repository; over ssh its path is v3/organisation/project/repository."""
    if place.scheme == "ssh" and place.path.startswith("v3/") and place.path.count("/") == 3:
        _, organisation, project, name = map(quote, place.path.split("/"))
        return f"https://dev.azure.com/{organisation}/{project}/_git/{name}"
    return f"https://{_web_host(place)}/{quote(place.path, safe='/%')}"
