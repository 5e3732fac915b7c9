"""The file as text: its values, and the line that each one stands on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Location = tuple[str | int, ...]
Problem = tuple[Location, str]
"""Where, by keys and positions, and what is wrong there."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")

#: Deep enough for any configuration, and shallow enough for the stack.
_DEPTH_MAX = 50
#: Aliases may repeat a block; they may not multiply one into a memory-eating tree.
_VALUES_MAX = 100_000


class Unreadable(Exception):
    """The text is not YAML. The message names the problem; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Text:
    """What the text says."""

    value: Any
    lines: dict[Location, int] = field(default_factory=dict)
    """Line of each key and item, from 1."""
    problems: list[Problem] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)
    """Those of the environment that it has values from."""

    def line(self, location: Location) -> int:
        """Of the location, or of the nearest thing around it that the text has."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def read(text: str, environ: Mapping[str, str]) -> Text:
    """Parse YAML, replacing ``${VAR}`` and ``${VAR:-default}`` in strings; ``$${`` stands for ``${``.

    Variables are replaced in values after parsing, so that nothing in the environment can change the
    structure. Raises Unreadable.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise Unreadable(mark.line + 1 if mark else 1, f"not valid YAML: {words}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(line, f"not valid YAML: {error.reason}") from error
    reader = _Reader(environ)
    reader.text.value = None if node is None else reader.build(node, ())
    return reader.text


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.text = Text(None)
        self.constructor = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, at: Location) -> Any:
        self.text.lines.setdefault(at, node.start_mark.line + 1)
        if len(at) > _DEPTH_MAX or len(self.text.lines) > _VALUES_MAX:
            raise Unreadable(node.start_mark.line + 1, "it is nested too deeply, or too large")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*at, position)) for position, item in enumerate(node.value)]
        return self._scalar(node, at)

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        own = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if "<<" in own:
            self._merge(node)
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise Unreadable(key_node.start_mark.line + 1, "a key should be a plain word")
            key, line = key_node.value, key_node.start_mark.line + 1
            if own.count(key) > 1:
                first = self.text.lines.get((*at, key))
                if first is not None:
                    self.text.problems.append(((*at, key), f"is written twice, on lines {first} and {line}"))
                    continue
            self.text.lines[(*at, key)] = line
            found[key] = self.build(value_node, (*at, key))
        return found

    def _merge(self, node: yaml.MappingNode) -> None:
        """Put the keys of ``<<`` before the block's own ones."""
        try:
            self.constructor.flatten_mapping(node)
        except yaml.MarkedYAMLError as error:
            raise Unreadable(node.start_mark.line + 1, f"not valid YAML: {error.problem}") from error

    def _scalar(self, node: yaml.Node, at: Location) -> Any:
        try:
            value = self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            words = getattr(error, "problem", None) or error
            raise Unreadable(node.start_mark.line + 1, f"not valid YAML: {words}") from error
        if not isinstance(value, str) or "${" not in value:
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
        value = self.environ.get(name)
        if default is not None and not value:
            return default
        if value is None:
            hint = f"set it, or write ${{{name}:-default}}"
            self.text.problems.append(
                (at, f"needs the environment variable {name}, which is not set; {hint}")
            )
            return ""
        self.text.variables.add(name)
        return value
