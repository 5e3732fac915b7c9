"""What the exceptions of these libraries mean.

Each wraps the others' in its own, with statuses that are often guesses; the response that one of the chain
carries tells. Their messages repeat what the server said, and are not repeated here.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.base import (
    ConnectorError,
    DocumentError,
    DocumentForbidden,
    DocumentVanished,
    SourceUnavailable,
    shortened,
)

#: Slack answers 200, and says what went wrong by a word.
_WORDS = {
    "invalid_auth": 401,
    "not_authed": 401,
    "token_revoked": 401,
    "token_expired": 401,
    "account_inactive": 401,
    "missing_scope": 403,
    "not_in_channel": 403,
    "channel_not_found": 404,
    "file_not_found": 404,
    "ratelimited": 429,
}
_MEANING = {
    401: "the credentials are refused: they are wrong, expired or revoked",
    403: "the account may not read it",
    404: "there is nothing at this address, or the account may not see it",
    410: "it is gone for good",
    429: "it wants to be asked less often, and waiting did not help",
}
#: Names of exceptions that no answer of the service belongs to.
_UNREACHED = ("Timeout", "ConnectError", "ConnectionError", "ProtocolError", "ChunkedEncoding", "URLError")


class NotAnAnswer(Exception):
    """A server answered with something that is no answer to the question: a log-in page, half a document."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, and those that it was raised from or beside."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]


def status_of(error: BaseException) -> int | None:
    """The HTTP status that the service answered with, when it answered."""
    for one in chain(error):
        response = getattr(one, "response", None)
        for said in (
            getattr(response, "status_code", None),
            getattr(getattr(one, "resp", None), "status", None),
            getattr(one, "status", None),
        ):
            if isinstance(said, int) and said >= 400:
                return said
        word = response.get("error") if hasattr(response, "get") and response is not None else None
        if isinstance(word, str) and word in _WORDS:
            return _WORDS[word]
        if type(one).__name__ == "UserAuthError" and response is None and one.__cause__ is None:
            return 401
    return None


def meaning(error: BaseException) -> str:
    """The part of a sentence that says what went wrong."""
    for one in chain(error):
        if isinstance(one, NotAnAnswer):
            return str(one)
    status = status_of(error)
    if status is not None:
        about = _MEANING.get(status) or ("it has a fault" if status >= 500 else "it refuses the question")
        return f"{about} (HTTP {status})"
    named = next((type(one).__name__ for one in chain(error) if _unreached(one)), type(error).__name__)
    return f"it cannot be reached, or broke off ({named})" if _broken(error) else f"it failed ({named})"


def unavailable(source: str, service: str, error: BaseException) -> ConnectorError:
    """The source cannot be asked."""
    known = _known(error)
    return known or SourceUnavailable(
        f"Source {source!r}: {service} cannot be listed, because {meaning(error)}. {_next(error)}"
    )


def of_document(source: str, service: str, uri: str, error: BaseException) -> ConnectorError:
    """A document cannot be had; or no document can."""
    if known := _known(error):
        return known
    if of_all(error):
        return SourceUnavailable(
            f"Source {source!r}: {service} cannot be asked, because {meaning(error)}. {_next(error)}"
        )
    kind = {403: DocumentForbidden, 404: DocumentVanished, 410: DocumentVanished}.get(
        status_of(error) or 0, DocumentError
    )
    return kind(f"{shortened(uri)!r} cannot be read from {service}: {meaning(error)}.")


def of_all(error: BaseException) -> bool:
    """Whether nothing else can be asked either: the source is not available, whatever the question."""
    if any(isinstance(one, SourceUnavailable) for one in chain(error)):
        return True
    status = status_of(error)
    return status in (401, 429) or (status is None and _broken(error))


def _known(error: BaseException) -> ConnectorError | None:
    return next((one for one in chain(error) if isinstance(one, ConnectorError)), None)


def _unreached(error: BaseException) -> bool:
    return any(word in type(error).__name__ for word in _UNREACHED) or isinstance(
        error, TimeoutError | ConnectionError
    )


def _broken(error: BaseException) -> bool:
    return any(_unreached(one) for one in chain(error))


def _next(error: BaseException) -> str:
    status = status_of(error)
    if status == 401:
        return "Give it valid credentials."
    if status in (403, 404):
        return "Check its settings, and what the account may see."
    return "The next run asks again."
