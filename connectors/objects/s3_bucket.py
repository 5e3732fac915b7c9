"""S3, and everything that speaks its protocol: listed by pages of our own, read strictly."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from connectors.base import Context, SourceUnavailable
from connectors.objects.aws import Credentials, credentials_of, endpoint_of, region_of
from connectors.objects.bucket import cut_short
from connectors.objects.failures import Place, refusal_of
from connectors.objects.keys import StoredObject
from connectors.objects.pages import NotAPage, Page, page_of
from connectors.objects.request import Requests
from connectors.objects.settings import S3Settings
from connectors.objects.stores import s3_store

if TYPE_CHECKING:
    from obstore.store import S3Store

#: For as long a signed url of a page is good.
SIGNED_FOR = timedelta(minutes=10)

#: The url to be signed goes on with a slash and a key. S3 ignores parameters that begin with ``x-``, so an
#: empty key becomes the value of one.
_IGNORED = "x-freshkb="


def s3_endpoint(settings: S3Settings) -> tuple[str, str]:
    """(endpoint, region), from the settings, the environment and the profile."""
    region = settings.region or region_of(settings.profile)
    endpoint = (settings.endpoint or "").rstrip("/") or endpoint_of()
    if endpoint is None:
        china = ".cn" if region.startswith("cn-") else ""
        endpoint = f"https://s3.{region}.amazonaws.com{china}"
    return endpoint, region


def bucket_url(settings: S3Settings, endpoint: str) -> str:
    """The address of the bucket, without a slash at its end."""
    return endpoint if settings.virtual_hosted else f"{endpoint}/{settings.bucket}"


class S3Bucket:
    right = "s3:ListBucket"

    def __init__(self, settings: S3Settings, context: Context, pause: Callable[[float], None]) -> None:
        endpoint, region = s3_endpoint(settings)
        self.place = Place(context.source, settings.url, urlsplit(endpoint).netloc)
        own = settings.anonymous or settings.access_key_id is not None
        self._credentials = Credentials() if own else credentials_of(settings.profile)
        self.store = s3_store(settings, context, self._credentials, endpoint, region)
        self._settings, self._context, self._region = settings, context, region
        self._url = bucket_url(settings, endpoint)
        self._headers = {"x-amz-request-payer": "requester"} if settings.requester_pays else {}
        self._requests = Requests(settings.timeout, settings.retries, self._certificates(), pause)

    def prove(self) -> None:
        self._page({"max-keys": "1"}, self._settings.prefix)

    def pages(
        self, prefix: str, errors: MutableSequence[str], *, deep: bool
    ) -> Iterator[Sequence[StoredObject]]:
        query = {} if deep else {"delimiter": "/"}
        count, last, token = 0, "", None
        while True:
            page = self._page(query if token is None else {**query, "continuation-token": token}, prefix)
            if page.unread:
                errors.append(
                    f"The listing of {self.place} has {page.unread:,} entries without a readable key, size "
                    "or date. Report it to who runs the service."
                )
            if page.objects:
                count += len(page.objects)
                first, before = min(found.key for found in page.objects), last
                last = max(last, *(found.key for found in page.objects))
                if before and first <= before:
                    errors.append(
                        f"The listing of {self.place} goes back to keys that it has shown: it is not whole."
                    )
                    yield [found for found in page.objects if found.key > before]
                    return
                yield page.objects
            else:
                yield []
            if page.next_token is None:
                break
            if page.next_token == token:
                errors.append(f"The listing of {self.place} asks for the same page again: it has no end.")
                return
            token = page.next_token
        if deep and count:
            after = self._page({"max-keys": "1", "start-after": last}, prefix)
            if any(found.key > last for found in after.objects):
                errors.append(cut_short(self.place, count, last))

    def find(self, key: str) -> StoredObject | None:
        # Of the keys that begin with a text the text itself comes first.
        page = self._page({"max-keys": "1"}, key)
        return next((found for found in page.objects if found.key == key), None)

    def _page(self, query: Mapping[str, str], prefix: str) -> Page:
        told = {"list-type": "2", "encoding-type": "url", **({"prefix": prefix} if prefix else {}), **query}
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(told.items()))
        url = f"{self._url}?{asked}"
        sign = (lambda: url) if self._settings.anonymous else self._signer(url)
        body = self._requests.get(sign, self._headers)
        try:
            return page_of(body, self._settings.bucket, prefix)
        except NotAPage as error:
            raise SourceUnavailable(
                f"{self.place} cannot be listed: what {self.place.host} answers {error}."
            ) from None

    def _signer(self, url: str) -> Callable[[], str]:
        """Gives this url, signed now. Raises Refusal when there are no credentials."""
        import obstore
        from obstore.exceptions import BaseError

        store: S3Store = s3_store(
            self._settings.model_copy(update={"virtual_hosted": True}),
            self._context,
            self._credentials,
            f"{url}&{_IGNORED}",
            self._region,
        )

        def signed() -> str:
            try:
                return obstore.sign(store, "GET", "", SIGNED_FOR)
            except (BaseError, OSError, ValueError) as error:
                raise refusal_of(error) from None

        return signed

    def _certificates(self) -> ssl.SSLContext | None:
        path = self._settings.certificates(self._context.base)
        if path is None:
            return None
        trusted = ssl.create_default_context()
        # The client of obstore has read it, so it is there.
        trusted.load_verify_locations(path)
        return trusted
