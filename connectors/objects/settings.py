"""What a configuration says of a bucket. Nothing here imports obstore."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.base import ConnectorSettings
from connectors.paths import encode, split
from connectors.urls import HttpUrl

#: As long as the longest of the three allows; what else is wrong with a name its service says.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,221}")


class ObjectSettings(ConnectorSettings):
    """Settings of every object store."""

    place: ClassVar[frozenset[str]] = frozenset({"url", "endpoint"})
    schemes: ClassVar[tuple[str, ...]]

    url: str
    """The bucket, and the folder of it that holds the documents: ``s3://bucket/prefix``."""
    endpoint: HttpUrl | None = None
    """The address of the service, for other ones than the cloud's own: ``https://minio.example.org``."""
    anonymous: bool = False
    """Ask without credentials, as public buckets allow."""
    hidden: bool = False
    """Whether keys with a segment that starts with a dot are documents, too."""
    metadata: bool = False
    """Ask for content type and user metadata, too: one request for each new or changed object."""
    ca: str | None = None
    """A file of certificates (PEM) to trust besides the system's, relative to the configuration."""
    timeout: Annotated[int, Field(ge=1, le=3600)] = 60
    """Seconds of silence after which a request has failed."""
    retries: Annotated[int, Field(ge=0, le=20)] = 5
    """How many times a request that failed for a while is sent again, each time after a longer pause."""

    @field_validator("url")
    @classmethod
    def _url_names_a_bucket(cls, url: str) -> str:
        scheme, _, rest = url.partition("://")
        if scheme not in cls.schemes or not rest:
            raise ValueError(f"must look like {cls.schemes[0]}://bucket/prefix")
        if "?" in rest or "#" in rest or "@" in rest:
            raise ValueError("holds more than a bucket and a prefix; ? # and @ have no place in it")
        bucket, _, prefix = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise ValueError(f"{bucket!r} is not the name of a bucket")
        try:
            split(encode(prefix.removesuffix("/")))
        except ValueError:
            raise ValueError(f"the prefix {prefix!r} has an empty segment, or a . or .. for one") from None
        return f"{cls.schemes[0]}://{bucket}/{prefix}".rstrip("/")

    @property
    def bucket(self) -> str:
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def prefix(self) -> str:
        """What every key of the source begins with: "" or a text that ends with a slash."""
        prefix = self.url.partition("://")[2].partition("/")[2]
        return f"{prefix}/" if prefix else ""

    def certificates(self, base: Path) -> Path | None:
        """The file of certificates."""
        return None if self.ca is None else base / Path(self.ca).expanduser()

    def _only_one(self, *ways: str) -> None:
        """Raises ValueError when these ways to have credentials stand beside each other, or are half."""
        given = [way for way in ways if getattr(self, way) is not None]
        if self.anonymous and given:
            raise ValueError(
                f"anonymous asks without credentials, and {given[0]} gives some: keep one of them"
            )
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both credentials: keep one of them")

    def _together(self, *names: str) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        if given and len(given) != len(names):
            raise ValueError(f"{', '.join(names)} belong together, and there is only {', '.join(given)}")


class S3Settings(ObjectSettings):
    """``type: s3``: Amazon S3, and what speaks its protocol."""

    schemes: ClassVar[tuple[str, ...]] = ("s3", "s3a")

    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] | None = None
    """The bucket's region; without it that of the environment or the profile, else us-east-1."""
    virtual_hosted: bool = False
    """The endpoint is the bucket's own: its host names the bucket."""
    profile: str | None = None
    """A profile of ``~/.aws/config`` and ``~/.aws/credentials``."""
    access_key_id: str | None = None
    """The name of a key; with it comes its secret."""
    secret_access_key: SecretStr | None = None
    """The secret of the key, as ``${VARIABLE}``."""
    session_token: SecretStr | None = None
    """The third part of a key that expires."""
    requester_pays: bool = False
    """Pay for the requests, as some public buckets demand."""

    @model_validator(mode="after")
    def _credentials_are_of_one_kind(self) -> Self:
        self._together("access_key_id", "secret_access_key")
        self._only_one("access_key_id", "profile")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token needs access_key_id and secret_access_key")
        if self.virtual_hosted and self.endpoint is None:
            raise ValueError("virtual_hosted says of which kind the endpoint is: there has to be one")
        if self.bucket.endswith("--x-s3"):
            raise ValueError("a directory bucket (S3 Express) lists in no order and is not supported")
        return self


class GcsSettings(ObjectSettings):
    """``type: gcs``: Google Cloud Storage."""

    schemes: ClassVar[tuple[str, ...]] = ("gs",)

    service_account_file: str | None = None
    """The file of a service account's key, relative to the configuration."""
    service_account_key: SecretStr | None = None
    """The same key itself, JSON."""

    @model_validator(mode="after")
    def _credentials_are_of_one_kind(self) -> Self:
        self._only_one("service_account_file", "service_account_key")
        return self


class AzureSettings(ObjectSettings):
    """``type: azure``: Azure Blob Storage; the bucket of the url is a container."""

    place: ClassVar[frozenset[str]] = frozenset({"url", "endpoint", "account"})
    schemes: ClassVar[tuple[str, ...]] = ("az", "azure", "abfs", "abfss")

    account: Annotated[str, Field(pattern=r"^[a-z0-9]{3,24}$")]
    """The storage account."""
    account_key: SecretStr | None = None
    """The key of the account, as ``${VARIABLE}``."""
    sas_token: SecretStr | None = None
    """A shared access signature that may read and list."""
    client_id: str | None = None
    """The application (service principal) that asks, or a managed identity of several."""
    client_secret: SecretStr | None = None
    """The secret of the application, as ``${VARIABLE}``."""
    tenant_id: str | None = None
    """The directory that the application is in."""

    @model_validator(mode="after")
    def _credentials_are_of_one_kind(self) -> Self:
        self._only_one("account_key", "sas_token", "client_secret")
        if self.client_secret is not None:
            self._together("client_id", "client_secret", "tenant_id")
        return self
