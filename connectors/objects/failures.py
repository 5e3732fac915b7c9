"""A store's refusals as sentences: what was asked, what the limit is, what to do.

Nothing that a server or a client says is repeated but its codes: texts hold urls, and urls hold signatures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.base import (
    DocumentChanging,
    DocumentError,
    DocumentForbidden,
    DocumentVanished,
    SourceUnavailable,
    shortened,
)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9._-]{1,64})\s*</Code>")
#: The places that obstore gets credentials from: their refusals are not the bucket's.
_CREDENTIALS = re.compile(
    r"token request|performing PUT \S+/latest/api/token|performing GET \S+/latest/meta-data/iam/"
    r"|Action=AssumeRole|[Cc]redential"
)
_REGION = re.compile(r"<Region>\s*([a-z0-9-]{1,40})\s*</Region>")

#: Azure gives one code for many reasons.
_AZURE = {
    "Request date header too old": "RequestTimeTooSkewed",
    "The Date header in the request is incorrect": "RequestTimeTooSkewed",
    "Signature not valid in the specified time frame": "ExpiredToken",
}
_CLOCK = {"RequestTimeTooSkewed", "RequestExpired"}
_EXPIRED = {"ExpiredToken", "TokenRefreshRequired", "InvalidToken", "ExpiredTokenException"}
_UNKNOWN_KEYS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthenticationFailed",
    "AuthorizationFailure",
    "AuthenticationRequired",
    "InvalidAuthenticationInfo",
    "NoAuthenticationInformation",
    "InvalidSecurity",
}
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "AccountNotFound"}
_NO_KEY = {"NoSuchKey", "BlobNotFound"}
_ARCHIVED = {"InvalidObjectState", "BlobArchived"}
_ELSEWHERE = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IncorrectEndpoint"}
#: Codes that say nothing of one object, whatever the status.
_OF_ALL = _CLOCK | _EXPIRED | _UNKNOWN_KEYS | _NO_BUCKET | _ELSEWHERE

#: Differences of clocks that services accept.
SKEW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket as messages name it."""

    source: str
    url: str
    host: str

    def __str__(self) -> str:
        return f"{self.url} of source {self.source!r}"


@dataclass(eq=False)
class Refusal(Exception):
    """What a store answered instead of what was asked for."""

    status: int | None
    """HTTP status; None: there was no answer."""
    code: str | None = None
    """The service's own word."""
    region: str | None = None
    """The region that the bucket lies in, where the answer says so."""
    skew_seconds: int = 0
    """How far the service's clock is ahead of ours."""
    why: str = ""
    """What went wrong without an answer: ``time-out``."""

    @property
    def no_such_key(self) -> bool:
        return self.code in _NO_KEY

    @property
    def of_the_object(self) -> bool:
        """Whether this may be about the one object that was asked for, and not about the source."""
        if self.code in _OF_ALL or abs(self.skew_seconds) > SKEW_SECONDS:
            return False
        if self.status is None:
            return not self.why
        return 400 <= self.status < 500 and self.status not in (401, 408, 429)


def refusal_of(error: Exception) -> Refusal:
    """What obstore was refused."""
    text, _, debug = str(error).partition("\n\nDebug source")
    if _CREDENTIALS.search(text):
        return Refusal(None, why="credentials")
    for word, meaning in _AZURE.items():
        if word in text:
            return Refusal(403, meaning)
    status, code, region = _STATUS.search(text), _CODE.search(text), _REGION.search(text)
    found = int(status[1]) if status else None
    if found is None and isinstance(error, FileNotFoundError):
        found = 404
    if found is None and "Received redirect without LOCATION" in text:
        found = 301
    why = ""
    if found is None:
        if "invalid path" in text or "Error parsing Path" in text:
            why = "key"
        elif "TimedOut" in debug or "kind: Timeout" in debug:
            why = "time-out"
        elif "kind: Connect" in debug or "error sending request" in text:
            why = "connection"
    return Refusal(found, code[1] if code else None, region[1] if region else None, why=why)


def refusal_in(status: int, headers: Mapping[str, str], body: str, skew_seconds: int) -> Refusal:
    """What an S3 answer refuses. Names of headers are lower-case."""
    code, region = _CODE.search(body), _REGION.search(body)
    told = headers.get("x-amz-bucket-region") or (region[1] if region else None)
    return Refusal(status, code[1] if code else None, told, skew_seconds)


def unavailable(refusal: Refusal, place: Place, right: str) -> SourceUnavailable:
    """The source cannot be asked. `right` names what credentials need for a listing."""
    return SourceUnavailable(f"{place} {_reason(refusal, place, right)}")


def _reason(refusal: Refusal, place: Place, right: str) -> str:
    code, status = refusal.code, refusal.status
    said = f"{status}{f' {code}' if code else ''}"
    if code in _CLOCK or (abs(refusal.skew_seconds) > SKEW_SECONDS and status in (400, 401, 403)):
        apart = f" by {abs(refusal.skew_seconds):,} seconds" if refusal.skew_seconds else ""
        return (
            f"cannot be asked: this machine's clock differs from that of {place.host}{apart}, and signatures "
            "hold for 15 minutes at most. Set the clock (NTP)."
        )
    if code in _EXPIRED:
        return f"cannot be asked: the credentials have expired ({said}). Renew them, and sync again."
    if code in _UNKNOWN_KEYS or status == 401:
        return (
            f"cannot be asked: {place.host} does not know these credentials ({said}). Check the keys, and "
            "that they are those of this service."
        )
    if code in _NO_BUCKET or status == 404:
        return f"is not there: {place.host} has no such bucket or container ({said}). Check url and endpoint."
    if code in _ELSEWHERE or status in (301, 302, 307, 308) or (status == 400 and refusal.region):
        where = (
            f"lies in region {refusal.region}: set region: {refusal.region}."
            if refusal.region
            else ("lies in another region or behind another address: check region and endpoint.")
        )
        return f"{where} ({said}.)"
    if status == 403:
        return (
            f"may not be listed with these credentials ({said}). They need {right}; a public bucket needs "
            "anonymous: true."
        )
    if status is not None:
        slow = status in (429, 503) or code == "SlowDown"
        next_step = "It asks for fewer requests: sync later." if slow else "Sync later, or ask who runs it."
        return f"cannot be asked: {place.host} answers {said}, again after every pause. {next_step}"
    match refusal.why:
        case "time-out":
            return (
                f"cannot be asked: {place.host} did not answer in time. Check the network, or raise timeout."
            )
        case "credentials":
            return (
                "cannot be asked: no credentials that work were found in the configuration, the environment, "
                "files or this machine's identity. Give some, or set anonymous: true for a public bucket."
            )
        case "key":
            return (
                "cannot be listed as a whole: it has a key that is not a path (an empty segment, a . or .. "
                "for one, or a control character). Rename or remove that key."
            )
        case "connection":
            return f"cannot be asked: {place.host} cannot be reached. Check endpoint and network."
        case why:
            return f"cannot be asked: what {place.host} answers is not understood{f': {why}' if why else ''}."


def document_error(refusal: Refusal, uri: str) -> DocumentError:
    """One object cannot be had, for a reason of its own."""
    name = repr(shortened(uri))
    if refusal.code in _ARCHIVED:
        return DocumentForbidden(
            f"{name} is archived and cannot be read. Restore it in the bucket, or exclude it."
        )
    if refusal.code == "BlobBeingRehydrated":
        return DocumentForbidden(f"{name} comes back from the archive. A sync reads it once it is there.")
    match refusal.status:
        case 403:
            return DocumentForbidden(
                f"{name} may not be read with these credentials (403 {refusal.code or 'without a code'}). "
                "Allow it, or exclude it."
            )
        case 404:
            return DocumentVanished(f"{name} is gone from the bucket.")
        case 412 | 416:
            return DocumentChanging(f"{name} changed while it was asked for. The next sync reads it again.")
        case None:
            return DocumentError(f"{name} cannot be read: what the service answers for it is not understood.")
        case status:
            return DocumentError(
                f"{name} cannot be read: the service answers {status} {refusal.code or 'without a code'}. "
                "Look at its encryption and its key, or exclude it."
            )
