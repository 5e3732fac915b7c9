"""A source block made of options and answers."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

from flows.cli.console import Console, warn
from index.config.keys import Key, about, connector_types, keys
from index.config.messages import nearest
from index.errors import ConfigError
from index.sources.add import VARIABLE, assign, unassign, variable_for, wrong_with


class Dialogue:
    """Asks on the terminal for what options do not say; every answer is checked at once, and asked for again
    when it is wrong."""

    def __init__(self, console: Console, taken: Sequence[str], *, answers: bool) -> None:
        """`taken` are the ids of sources that there are; without `answers` nothing is asked."""
        self._console = console
        self._taken = taken
        self._answers = answers
        self._block: dict[str, Any] = {}

    def block(self, type_name: str | None, source_id: str | None, settings: Sequence[str]) -> dict[str, Any]:
        """The source block. Raises ConfigError for options that are wrong, and for what is missing where
        nothing is asked."""
        everything = type_name is None
        chosen = type_name or self._type()
        known = keys(chosen)
        self._block = {"id": "", "type": chosen}
        self._block["id"] = source_id or self._id(chosen)
        self._check(("id",))
        for setting in settings:
            self._option(setting)
        for key in known:
            if key.required and not self._has(key):
                self._ask_key(key)
        if everything and self._answers:
            self._ask_others([key for key in known if not (key.required or self._has(key))])
        return self._block

    def _ask_others(self, keys: Sequence[Key]) -> None:
        """Those that open the source, or belong to a block that has to be there, one by one; then any of the
        rest."""
        asked = [key for key in keys if key.secret or len(key.path) > 1]
        for key in asked:
            self._ask_key(key)
        rest = [key for key in keys if key not in asked]
        if rest:
            self._console.say("\nFurther keys, beside those of every source; NAME= takes one back:")
        for key in rest:
            self._console.say(f"  {key}: {key.about}" if key.about else f"  {key}")
        told = False
        while True:
            if self._ask("NAME=VALUE", self._set, default=""):
                told = False
                continue
            wrong = wrong_with(self._block, (), os.environ)
            if told or not wrong:
                return
            # Keys that are right one by one may be wrong together. A second Enter leaves them so.
            for why in wrong:
                warn(why)
            told = True

    def _set(self, text: str) -> str:
        """Set a key as ``--set`` does, anew where it is set; without a value take it back. Why that is wrong,
        or ""."""
        before = copy.deepcopy(self._block)
        name, _, value = map(str.strip, text.partition("="))
        if name not in ("id", "type"):
            unassign(self._block, name)
        if text.endswith("=") and not value:
            return ""
        try:
            self._option(text)
        except ConfigError as error:
            self._block = before
            return str(error)
        return ""

    def _option(self, setting: str) -> None:
        """Set a key by an option. Raises ConfigError when it is wrong."""
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals:
            raise ConfigError(f"{name} has no value; write NAME=VALUE.")
        if name in ("id", "type"):
            raise ConfigError(f"{name} is an option of its own: --{name}.")
        assign(self._block, name, text.strip())
        self._check(tuple(name.split(".")))

    def confirmed(self, question: str, *, default: bool) -> bool:
        return not self._answers or typer.confirm(question, default=default, err=self._console.as_json)

    def _check(self, path: tuple[str, ...]) -> None:
        """Raise ConfigError when an option is wrong."""
        if wrong := wrong_with(self._block, path, os.environ):
            raise ConfigError(f"{'. '.join(wrong)}.")
        if path == ("id",) and self._block["id"] in self._taken:
            raise ConfigError(f"{self._block['id']!r} is the id of a source already.")

    def _has(self, key: Key) -> bool:
        inside: Any = self._block
        for part in key.path:
            if not isinstance(inside, Mapping) or part not in inside:
                return False
            inside = inside[part]
        return True

    def _type(self) -> str:
        types = connector_types()
        if not self._answers:
            raise ConfigError(f"Name the type of the source: --type {'|'.join(types)}")
        width = max(map(len, types))
        for name in types:
            line = about(name)
            self._console.say(f"  {name:<{width}}  {line}." if line else f"  {name}")

        def wrong(text: str) -> str:
            return "" if text in types else f"There is no type {text!r}{nearest(text, types)}."

        return self._ask("type", wrong)

    def _id(self, type_name: str) -> str:
        if not self._answers:
            raise ConfigError("Name the source: --id ID")
        numbers = (f"{type_name}-{number}" for number in range(2, len(self._taken) + 3))
        free = next(name for name in (type_name, *numbers) if name not in self._taken)

        def wrong(text: str) -> str:
            if text in self._taken:
                return f"{text!r} is the id of a source already."
            return ". ".join(wrong_with(self._block | {"id": text}, ("id",), os.environ))

        return self._ask("id", wrong, default=free)

    def _ask_key(self, key: Key) -> None:
        if not self._answers:
            raise ConfigError(f"A source of type {self._block['type']} needs --set {key}=VALUE: {key.about}")
        self._console.say(f"\n{key}: {key.about}" if key.about else f"\n{key}:")
        if key.kind == "mapping":
            self._console.say("NAME= takes one back.")
            self._ask_pairs(key)
            return
        made: dict[str, Any] = {}
        default = None if key.required else ""
        label = f"{key}, one or [a, b]" if key.kind == "list" else str(key)
        if key.secret:
            label = f"environment variable that holds {key}"
            default = variable_for(self._block["id"], str(key)) if key.required else ""

        def wrong(text: str) -> str:
            made.clear()
            made.update(copy.deepcopy(self._block))
            if key.secret:
                name = text.removeprefix("${").removesuffix("}")
                if not VARIABLE.fullmatch(name):
                    return "Write the name of a variable, such as TOKEN; the secret itself is not written."
                text = f"${{{name}}}"
            try:
                assign(made, str(key), text)
            except ConfigError as error:
                return str(error)
            return ". ".join(wrong_with(made, key.path, os.environ))

        if self._ask(label, wrong, default=default):
            self._block = copy.deepcopy(made)

    def _ask_pairs(self, key: Key) -> None:
        """Those of a mapping, one by one; what it still lacks is said after each."""
        told = False
        while True:
            answer = self._ask(f"{key}, NAME=VALUE", lambda text: self._set(f"{key}.{text}"), default="")
            if key.required and not self._has(key):
                assign(self._block, str(key), "{}")
            wrong = wrong_with(self._block, key.path, os.environ) if self._has(key) else []
            if not answer and (told or not wrong):
                return
            for why in wrong:
                warn(why)
            told = not answer

    def _ask(self, label: str, wrong: Callable[[str], str], default: str | None = None) -> str:
        """The answer, or "" for nothing where that is the default."""
        while True:
            shown = f"{label} (Enter: none)" if default == "" else label
            text: str = typer.prompt(
                shown, default=default, show_default=bool(default), err=self._console.as_json
            )
            text = text.strip()
            if not text and default == "":
                return ""
            if not (why := wrong(text)):
                return text
            warn(why)
