"""Secrets covered wherever they would be shown or kept: the one redaction.

A secret is found in three ways: by its place in a url, by the name beside it, and by its value, when it was
handed to `remember`. `redact` is for messages: errors, log lines, records, settings. Data only loses known
values (`covered`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

REDACTED = "***"

#: The password of a url up to the last @, because it may be written with a / that should be escaped. Digits
#: up to a slash are a port. A user without a password is a token, except in the url of a database.
_USER_INFO = re.compile(
    r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,40})://"
    r"(?:(?P<user>[^\s/?#@:]{0,200}):(?!\d{1,5}(?:[/?#\s]|$))(?P<password>\S{0,500})"
    r"|(?P<token>[^\s/?#@:]{1,500}))@"
)
_DATABASES = ("postgres",)

#: ``name=``, ``"name": `` and ``b'name', ``: the text before a value of this name.
_NAME = re.compile(r"(?<![\w.%-])([\w.%-]{1,100})(?: *= *|[\"'] *= *|[\"'] *[:,] *)(?=\S)")
_QUOTED = re.compile(r"b?(?P<quote>[\"'])(?P<value>.*?)(?P=quote)", re.DOTALL)
_BARE = re.compile(r"(?P<value>[^\s&#]+?)(?=[\"')\]}>,.;:]*(?:[\s&#]|$))")
_HEADER = re.compile(
    r"(?i)(?<![\w-])((?:proxy-)?authorization|(?:x-)?api-key|x-auth-token|(?:set-)?cookie)(: *)([^\r\n\"']+)"
)
_BEARER = re.compile(r"\b([Bb]earer) +[A-Za-z0-9._~+/-]{6,}=*")

_SECRET_NAME = re.compile(
    "password|passwd|passphrase|secret|apikey|accesskey|credential|signature|authorization"
    "|(?:key|token|pwd|sig|auth|authstring)$|^pass$|^(?:set)?cookie$"
)


def secret_name(name: str) -> bool:
    """Whether a value of this name is a secret, however the name is spelled.

    >>> [secret_name(name) for name in ("API-Key", "oauth_client_secret", "s%69g", "PGPASSWORD", "keyword")]
    [True, True, True, True, False]
    """
    return _SECRET_NAME.search(re.sub(r"[\W_]|\d+$", "", unquote(name).lower())) is not None


def redact(text: str) -> str:
    """A message without secrets.

    >>> redact("postgresql+psycopg://kb:secret@db/kb?sslpassword=x answers; api-key=y")
    'postgresql+psycopg://kb:***@db/kb?sslpassword=*** answers; api-key=***'
    """
    text = covered(text)
    if "://" in text:
        text = _USER_INFO.sub(_without_password, text)
    text = _HEADER.sub(rf"\1\2{REDACTED}", text)
    text = _BEARER.sub(rf"\1 {REDACTED}", text)
    parts, done = [], 0
    for start, end in _named(text):
        if start >= done:
            parts += [text[done:start], REDACTED]
            done = end
    return "".join([*parts, text[done:]])


def redacted(value: object, name: str = "") -> object:
    """Settings as JSON values without secrets; `name` is the key that the value stands under."""
    if isinstance(value, Mapping):
        return {key: redacted(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item, name) for item in value]
    if isinstance(value, str):
        return REDACTED if value and secret_name(name) else redact(value)
    return value


def _without_password(found: re.Match[str]) -> str:
    if found["token"] is None:
        return f"{found['scheme']}://{found['user']}:{REDACTED}@"
    if found["scheme"].startswith(_DATABASES):
        return found[0]
    return f"{found['scheme']}://{REDACTED}@"


def _named(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each value that stands beside the name of a secret."""
    for found in _NAME.finditer(text):
        if secret_name(found[1]):
            value = _QUOTED.match(text, found.end()) or _BARE.match(text, found.end())
            if value is not None:
                yield value.span("value")


# ── Values that this process was given ────────────────────────────────────────────────────────────────

#: {secret: (letters and digits that every spelling of it has, pattern of all its spellings)}, longest first.
_known: dict[str, tuple[str, re.Pattern[str]]] = {}


def remember(*values: object) -> None:
    """Cover these secrets from now on, wherever they appear, percent-encoded and quoted spellings included.

    Settings may be given whole: the values in a secret's place count. A value that could be a word of any
    text (fewer than 8 characters; fewer than 12, and only letters or only digits) is covered in its place
    alone: replaced everywhere, it would tear holes into data, and give itself away.
    """
    global _known
    fresh = {form for value in values for secret in _forms(value) for form in (secret, unquote(secret))}
    telling = {s for s in fresh if len(s) >= 12 or (len(s) >= 8 and not (s.isalpha() or s.isdecimal()))}
    if not telling <= _known.keys():
        both = _known | {secret: (_anchor(secret), _spellings(secret)) for secret in telling}
        _known = dict(sorted(both.items(), key=lambda entry: -len(entry[0])))


def secrets_in(value: object, name: str = "") -> Iterator[str]:
    """The values in a secret's place of settings; `name` is the key that they stand under."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item, name)
    elif isinstance(value, str):
        if secret_name(name):
            yield value
            # In `Bearer TOKEN` and `user:password` the second half is the secret.
            yield re.split(r"[\s:]", value)[-1]
        for found in _USER_INFO.finditer(value):
            if found["token"] is None or not found["scheme"].startswith(_DATABASES):
                yield found["password"] if found["token"] is None else found["token"]
        for start, end in _named(value):
            yield value[start:end]


def covered(text: str) -> str:
    """The text without the secrets that were handed to `remember`."""
    for anchor, spellings in _known.values():
        if anchor in text:
            text = spellings.sub(REDACTED, text)
    return text


def _forms(value: object) -> Iterator[str]:
    yield from [value] if isinstance(value, str) else secrets_in(value)


def _anchor(secret: str) -> str:
    parts: list[str] = re.findall(r"[A-Za-z0-9]*", secret)
    return max(parts, key=len)


def _spellings(secret: str) -> re.Pattern[str]:
    """Letters and digits are always themselves; anything else may be percent-encoded, or escaped as in JSON
    or in a Python literal."""
    return re.compile("".join(c if c.isascii() and c.isalnum() else _spelled(c) for c in secret))


def _spelled(character: str) -> str:
    raw = character.encode("utf-8", "surrogatepass")
    percent = "".join(f"%(?i:{byte:02x})" for byte in raw)
    units = character.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\\u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4))
    forms = [rf"\\*{re.escape(character)}", percent, escaped]
    return f"(?:{'|'.join(forms)}{'|[+]' if character == ' ' else ''})"
