"""The file as text: its values, and the line that each one stands on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from index.printable import is_unicode

Location = tuple[str | int, ...]
Problem = tuple[Location, str]
"""(location by keys and positions, sentence)."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")

#: Levels: deep enough for any configuration, and shallow enough for the stack.
_DEPTH_MAX = 50
#: Aliases and merges may repeat a block; they may not multiply one into a memory-eating tree.
_VALUES_MAX = 20_000
#: Characters of a scalar that is no text, and of all values that variables put into a file.
_SCALAR_MAX, _REPLACED_MAX = 1_000, 1_000_000


class UnreadableFile(Exception):
    """The text is not YAML. The message names the problem; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Excessive(UnreadableFile):
    """The text is larger or deeper than a configuration can be."""


@dataclass(slots=True)
class Text:
    """The file's values, with their lines."""

    value: Any
    lines: dict[Location, int] = field(default_factory=dict)
    """Line of each key and item, from 1."""
    problems: list[Problem] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)
    """Variables of the environment that gave it values."""

    def line(self, location: Location) -> int:
        """The line of the location, or of the nearest location around it that the text has."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def named_variables(text: str) -> dict[str, str]:
    """The variables that a value names as ``${VAR}`` or ``${VAR:-default}``, with their defaults or "".

    >>> named_variables("https://${USER}:${TOKEN:-none}@example.org/$${x}")
    {'USER': '', 'TOKEN': 'none'}
    """
    return {found[1]: found[2] or "" for found in _VARIABLE.finditer(text) if found[1]}


def read(text: str, environ: Mapping[str, str] | None) -> Text:
    """Parse YAML, replacing ``${VAR}`` and ``${VAR:-default}`` in strings; ``$${`` stands for ``${``.

    Variables are replaced in values after parsing, so that nothing in the environment can change the
    structure; without an `environ` none are. Raises UnreadableFile.
    """
    try:
        # PyYAML composes nodes recursively, in C: too many levels would end the process.
        _check_measure(text)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise UnreadableFile(mark.line + 1 if mark else 1, f"not valid YAML: {words}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableFile(line, f"not valid YAML: {error.reason}") from error
    reader = _Reader(environ)
    reader.text.value = None if node is None else reader.build(node, ())
    return reader.text


def _check_measure(text: str) -> None:
    depth = values = 0
    for event in yaml.parse(text, Loader=LOADER):
        values += isinstance(event, yaml.NodeEvent)
        # Keys count as values here.
        if values > 2 * _VALUES_MAX:
            raise _too_large(event.start_mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEPTH_MAX:
                raise _too_deep(event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _too_deep(mark: Any) -> Excessive:
    return Excessive(_line(mark), f"it is nested too deeply: more than {_DEPTH_MAX} levels")


def _too_large(mark: Any) -> Excessive:
    message = f"it is too large: more than {_VALUES_MAX:,} values, those of aliases and merges included"
    return Excessive(_line(mark), message)


def _line(mark: Any) -> int:
    """From 1; the marks of the two parsers have no class in common."""
    return 1 if mark is None else int(mark.line) + 1


class _Reader:
    def __init__(self, environ: Mapping[str, str] | None) -> None:
        self.environ = environ
        self.text = Text(None)
        self.constructor = yaml.constructor.SafeConstructor()
        self.merged: dict[int, list[tuple[yaml.Node, yaml.Node]]] = {}
        self.merges = 0
        self.replaced = 0

    def build(self, node: yaml.Node, at: Location) -> Any:
        self.text.lines.setdefault(at, node.start_mark.line + 1)
        if len(at) > _DEPTH_MAX:
            raise _too_deep(node.start_mark)
        if len(self.text.lines) > _VALUES_MAX:
            raise _too_large(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*at, position)) for position, item in enumerate(node.value)]
        return self._scalar(node, at)

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in self._pairs(node, 0):
            key, line = key_node.value, key_node.start_mark.line + 1
            if key in found:
                first = self.text.lines[(*at, key)]
                self.text.problems.append(((*at, key), f"is written twice, on lines {first} and {line}"))
                continue
            self.text.lines[(*at, key)] = line
            found[key] = self.build(value_node, (*at, key))
        return found

    def _pairs(self, node: yaml.MappingNode, depth: int) -> list[tuple[yaml.Node, yaml.Node]]:
        """Keys and values of a block: those of ``<<`` that it does not write itself, then its own."""
        if depth > _DEPTH_MAX:
            raise _too_deep(node.start_mark)
        if id(node) not in self.merged:
            own: list[tuple[yaml.Node, yaml.Node]] = []
            above: list[yaml.Node] = []
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise UnreadableFile(key.start_mark.line + 1, "a key should be a plain word")
                if key.tag == _MERGE:
                    above += value.value if isinstance(value, yaml.SequenceNode) else [value]
                else:
                    own.append((key, value))
            names = {key.value for key, _ in own}
            inherited = []
            for block in above:
                if not isinstance(block, yaml.MappingNode):
                    line = block.start_mark.line + 1
                    raise UnreadableFile(line, "not valid YAML: << should name a block, or a list of blocks")
                # The first block that has a key gives its value.
                for pair in self._pairs(block, depth + 1):
                    self.merges += 1
                    if self.merges > _VALUES_MAX:
                        raise _too_large(block.start_mark)
                    if pair[0].value not in names:
                        names.add(pair[0].value)
                        inherited.append(pair)
            self.merged[id(node)] = [*inherited, *own]
        return self.merged[id(node)]

    def _scalar(self, node: yaml.Node, at: Location) -> Any:
        if node.tag != _TEXT and len(node.value) > _SCALAR_MAX:
            line = node.start_mark.line + 1
            raise Excessive(line, f"a value that is not text is longer than {_SCALAR_MAX:,} characters")
        try:
            value = self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
            # For a tag that does not fit its text, PyYAML raises errors of any class.
            words = getattr(error, "problem", None)
            if words is None:
                kind = node.tag.rpartition(":")[2]
                words = error if isinstance(error, ValueError) else f"{node.value!r} is no {kind}"
            raise UnreadableFile(node.start_mark.line + 1, f"not valid YAML: {words}") from error
        if self.environ is None or not isinstance(value, str) or "${" not in value:
            return value
        return _VARIABLE.sub(lambda match: self._variable(match, at), value)

    def _variable(self, match: re.Match[str], at: Location) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match.groups()
        if name is None:
            self.text.problems.append(
                (at, "has a ${ that is neither ${NAME} nor ${NAME:-default}; write $${ for ${")
            )
            return match[0]
        assert self.environ is not None
        value = self.environ.get(name)
        if default is not None and not value:
            return default
        if value is None:
            hint = f"set it, or write ${{{name}:-default}}"
            self.text.problems.append(
                (at, f"needs the environment variable {name}, which is not set; {hint}")
            )
            return ""
        if not is_unicode(value):
            self.text.problems.append((at, f"has the value of {name} in it, which is not UTF-8 text"))
            return ""
        self.text.variables.add(name)
        self.replaced += len(value)
        if self.replaced > _REPLACED_MAX:
            message = f"the values of its variables come to more than {_REPLACED_MAX:,} characters"
            raise Excessive(self.text.line(at), message)
        return value
