from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.base import OwnersFile
from index.config.codeowners import CodeOwners

#: The example of GitHub's documentation, abridged.
GITHUB = """
# This is a comment.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
/apps/github @doctocat
/apps/github
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README.md", ("@global-owner1", "@global-owner2")),
        ("deep/er/a.md", ("@global-owner1", "@global-owner2")),
        ("src/a.js", ("@js-owner",)),
        ("a.go", ("docs@example.com",)),
        ("x/a.txt", ("@octo-org/octocats",)),
        ("build/logs/a/b.md", ("@octocat",)),
        ("other/build/logs.md", ("@global-owner1", "@global-owner2")),
        ("docs/a.md", ("@doctocat",)),
        ("docs/deep/a.md", ("@doctocat",)),
        ("x/docs/a.md", ("@global-owner1", "@global-owner2")),
        ("x/apps/deep/a.md", ("@octocat",)),
        ("deeply/nested/logs/a.md", ("@octocat",)),
        ("scripts/a.js", ("@doctocat", "@octocat")),
        ("apps/a.js", ("@octocat",)),
        ("apps/github/a.js", ()),
        ("apps/github.js", ("@octocat",)),
    ],
)
def test_the_example_of_github(path: str, owners: tuple[str, ...]) -> None:
    assert CodeOwners(OwnersFile(GITHUB)).owners(path) == owners


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("docs/*", ["docs/a.md"], ["docs/b/a.md", "x/docs/a.md"]),
        ("docs/**", ["docs/a.md", "docs/b/a.md"], ["docs", "x/docs/a.md"]),
        ("docs/**/a.md", ["docs/a.md", "docs/b/c/a.md"], ["a.md", "docs/b.md"]),
        ("*.md", ["a.md", "x/y/a.md", "x.md/a.txt"], ["a.txt"]),
        ("/*.md", ["a.md"], ["x/a.md"]),
        ("/*", ["a.md"], ["x/a.md"]),
        ("**", ["a.md", "x/y/a.md"], []),
        ("a?.md", ["ab.md", "x/ab.md"], ["a.md", "a/.md"]),
        ("x/y", ["x/y", "x/y/a.md"], ["z/x/y", "x/yy"]),
        (r"with\ blank/", ["with blank/a.md", "x/with blank/a.md"], ["with/a.md"]),
        (r"star\*.md", ["star*.md"], ["starry.md"]),
        ("Docs/", ["Docs/a.md"], ["docs/a.md"]),
        ("a+(b).md", ["a+(b).md"], ["aab.md"]),
        # What GitHub leaves out of .gitignore: the line is passed over.
        ("!a.md", [], ["a.md", "!a.md"]),
        ("[ab].md", [], ["a.md", "[ab].md"]),
        (r"\#a.md", [], ["#a.md", r"\#a.md"]),
        ("/", [], ["a.md"]),
        ("a***b", [], ["ab", "axb"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    found = CodeOwners(OwnersFile(f"{pattern} @anna\n"))
    assert [path for path in (*matching, *others) if found.owners(path)] == matching


def plain(pattern: str, path: str) -> bool:
    """The same by trying everything."""
    names = pattern.removeprefix("/").removesuffix("/").split("/")
    if not pattern.startswith("/") and len(names) == 1:
        names.insert(0, "**")
    if pattern.endswith("/"):
        names.append("**")

    def below(names: list[str], parts: list[str]) -> bool:
        match names:
            case ["**"]:
                return bool(parts)
            case ["**", *rest]:
                return any(below(rest, parts[n:]) for n in range(len(parts)))
            case ["*"]:
                return len(parts) == 1
            case [name, *rest]:
                return bool(parts) and one(name, parts[0]) and (not rest or below(rest, parts[1:]))
        return False

    def one(name: str, part: str) -> bool:
        if name[:1] == "*":
            return any(one(name.lstrip("*"), part[n:]) for n in range(len(part) + 1))
        if not name or not part:
            return name == part
        return name[0] in ("?", part[0]) and one(name[1:], part[1:])

    return below(names, path.split("/"))


_NAME = st.text("ab*?", min_size=1, max_size=5).filter(lambda name: "***" not in name)
_PATTERN = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "/"]),
    st.lists(_NAME, min_size=1, max_size=4).map("/".join),
    st.sampled_from(["", "/"]),
)


@given(_PATTERN, st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=5).map("/".join))
@example("a/*b*a/**/b*", "a/bba/a/a/ba/b")
@example("/**/a/b/**/*", "a/a/b/a")
@example("/**/a*b/**", "ab/ab")
def test_patterns_match_what_trying_everything_finds(pattern: str, path: str) -> None:
    assert bool(CodeOwners(OwnersFile(f"{pattern} @anna\n")).owners(path)) == plain(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/" + "*a" * 8 + "*b", "a" * 60 + ".md"),
        ("/" + "*a" * 30 + "*b/**", "a" * 250 + "/b.md"),
        ("/" + "**/a/" * 30 + "**/b", "a/" * 500 + "a.md"),
        ("/" + "**/*a*a*a/" * 30 + "**/b", "aaaaaa/" * 500 + "a.md"),
    ],
)
def test_a_pattern_of_many_asterisks_ends(pattern: str, path: str) -> None:
    assert CodeOwners(OwnersFile(f"{pattern} @anna\n")).owners(path) == ()


@pytest.mark.parametrize("line", ["*.md anna", "*.md @anna bo", "*.md @", "*.md @a/b/c", "# *.md @anna", ""])
def test_a_line_that_is_wrong_is_passed_over(line: str) -> None:
    found = CodeOwners(OwnersFile(f"* @all\r\n{line}\r\n"))
    assert found.owners("a.md") == ("@all",)


def test_paths_are_relative_to_the_repository() -> None:
    found = CodeOwners(OwnersFile("/handbook/hr/ @anna\n/hr/ @bo\n", "handbook"))
    assert found.owners("hr/a.md") == ("@anna",)


def test_the_fingerprint_follows_the_effect() -> None:
    def of(text: str, top: str = "") -> str:
        return CodeOwners(OwnersFile(text, top)).fingerprint

    assert CodeOwners().fingerprint == of("# Nobody yet\n") == ""
    assert of("* @anna") == of("# All\n*    @anna # of it\n")
    assert len({of("* @anna"), of("* @bo"), of("* @anna", "docs"), of("*"), ""}) == 5
