"""obstore's clients, made of settings: credentials, retries, time-outs, certificates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.base import Context, SourceUnavailable
from connectors.extras import extra
from connectors.objects.aws import Credentials
from connectors.objects.settings import AzureSettings, GcsSettings, ObjectSettings, S3Settings

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store
    from pydantic import SecretStr

CONNECT_SECONDS = 10
#: A whole document, however slowly it arrives.
WHOLE = timedelta(hours=2)
MAX_BACKOFF_SECONDS = 15


def s3_store(
    settings: S3Settings, context: Context, credentials: Credentials, endpoint: str, region: str
) -> S3Store:
    """The client of a bucket. `endpoint` is the bucket's own with ``virtual_hosted``, else the service's.

    Raises SourceUnavailable when obstore is missing, or what it is given is not well-formed.
    """
    with extra("s3", context.source):
        from obstore.store import S3Store

    config: dict[str, Any] = {
        # Under this name nothing of the environment comes before it.
        "aws_endpoint_url_s3": endpoint,
        "region": region,
        "virtual_hosted_style_request": settings.virtual_hosted,
        "skip_signature": settings.anonymous,
        "request_payer": settings.requester_pays,
    }
    if settings.access_key_id is not None:
        config["access_key_id"] = settings.access_key_id
        config["secret_access_key"] = _told(settings.secret_access_key)
        if settings.session_token is not None:
            config["session_token"] = _told(settings.session_token)
    elif not settings.anonymous:
        names = ("access_key_id", "secret_access_key", "session_token")
        config |= {name: getattr(credentials, name) for name in names if getattr(credentials, name)}
    made: S3Store = _made(S3Store, settings, context, config, endpoint, credentials.provider)
    return made


def gcs_store(settings: GcsSettings, context: Context, *, objects: bool = False) -> GCSStore:
    """The client of a bucket, or with `objects` that of its objects alone: Google unpacks what was stored
    packed for whoever does not accept it so, and then tells neither size nor ETag. Listings are never asked
    for that way, as obstore unpacks none. Raises SourceUnavailable, as `s3_store`."""
    with extra("gcs", context.source):
        from obstore.store import GCSStore

    config: dict[str, Any] = {"skip_signature": settings.anonymous}
    if settings.service_account_file is not None:
        config["service_account"] = str(context.base / Path(settings.service_account_file).expanduser())
    if settings.service_account_key is not None:
        config["service_account_key"] = _told(settings.service_account_key)
    if settings.endpoint is not None:
        config["base_url"] = settings.endpoint.rstrip("/")
    headers = {"Accept-Encoding": "gzip"} if objects else {}
    made: GCSStore = _made(GCSStore, settings, context, config, settings.endpoint, headers=headers)
    return made


def azure_store(settings: AzureSettings, context: Context) -> AzureStore:
    """The client of a container. Raises SourceUnavailable, as `s3_store`."""
    with extra("azure", context.source):
        from obstore.store import AzureStore

    config: dict[str, Any] = {"account_name": settings.account, "skip_signature": settings.anonymous}
    for name, key in (
        ("account_key", "account_key"),
        ("sas_token", "sas_key"),
        ("client_secret", "client_secret"),
    ):
        if (secret := getattr(settings, name)) is not None:
            # The portal shows a signature with the mark that it follows in a url.
            config[key] = _told(secret).removeprefix("?")
    for name in ("client_id", "tenant_id"):
        if (told := getattr(settings, name)) is not None:
            config[name] = told
    if settings.endpoint is not None:
        config["endpoint"] = settings.endpoint.rstrip("/")
    made: AzureStore = _made(AzureStore, settings, context, config, settings.endpoint)
    return made


def _made(
    kind: Any,
    settings: ObjectSettings,
    context: Context,
    config: dict[str, Any],
    endpoint: str | None,
    provider: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    from obstore.exceptions import BaseError

    client: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, settings.timeout)),
        "read_timeout": timedelta(seconds=settings.timeout),
        "timeout": WHOLE,
        # Without an endpoint everything goes over TLS.
        "allow_http": (endpoint or "").startswith("http://"),
        "user_agent": "freshkb",
        "default_headers": dict(headers or {}),
    }
    try:
        if (path := settings.certificates(context.base)) is not None:
            client["root_certificate"] = path.read_bytes()
        return kind(
            settings.bucket,
            config=config,
            client_options=client,
            retry_config={
                "max_retries": settings.retries,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=200),
                    "max_backoff": timedelta(seconds=MAX_BACKOFF_SECONDS),
                    "base": 2,
                },
                "retry_timeout": timedelta(seconds=settings.timeout * (settings.retries + 1)),
            },
            credential_provider=provider,
        )
    except OSError as error:
        raise SourceUnavailable(
            f"The file {str(error.filename)!r} of source {context.source!r} cannot be read: {error.strerror}."
        ) from error
    except (BaseError, ValueError, TypeError) as error:
        # What it says may hold a part of a key.
        raise SourceUnavailable(
            f"The credentials or settings of source {context.source!r} are not well-formed "
            f"({type(error).__name__}). Check keys, key files and the environment's variables."
        ) from None


def _told(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
