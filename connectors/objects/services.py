"""The connectors of the three services: addresses, identities, clients."""

from __future__ import annotations

from urllib.parse import urlsplit

from connectors.objects.bucket import Bucket
from connectors.objects.cloud_bucket import CloudBucket
from connectors.objects.connector import ObjectConnector
from connectors.objects.s3_bucket import S3Bucket, bucket_url, s3_endpoint
from connectors.objects.settings import AzureSettings, GcsSettings, S3Settings
from connectors.objects.stores import azure_store, gcs_store


class S3Connector(ObjectConnector):
    """Objects in a bucket of Amazon S3, or of a service that speaks like it."""

    settings_model = S3Settings
    settings: S3Settings

    def _open(self) -> Bucket:
        return S3Bucket(self.settings, self.context, self.pause)

    def _address(self) -> str:
        return bucket_url(self.settings, s3_endpoint(self.settings)[0])

    def _identity(self) -> str:
        endpoint, region = s3_endpoint(self.settings)
        amazon = urlsplit(endpoint).hostname or ""
        if amazon.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            # Names of buckets are unique in all regions of a partition.
            where = region.partition("-")[0] if region.startswith(("cn-", "us-gov-")) else ""
            return f"{self.settings.url}{f' in {where}' if where else ''}"
        return f"{self.settings.url} at {endpoint}"


class GcsConnector(ObjectConnector):
    """Objects in a bucket of Google Cloud Storage."""

    settings_model = GcsSettings
    settings: GcsSettings

    def _open(self) -> Bucket:
        return CloudBucket(
            self.context.source,
            self.settings.url,
            self.settings.endpoint or "https://storage.googleapis.com",
            gcs_store(self.settings, self.context),
            gcs_store(self.settings, self.context, objects=True),
            "storage.objects.list",
        )

    def _address(self) -> str:
        # Asks a person to sign in, which the address for programs does not.
        endpoint = (self.settings.endpoint or "https://storage.cloud.google.com").rstrip("/")
        return f"{endpoint}/{self.settings.bucket}"

    def _identity(self) -> str:
        return self.settings.url + (f" at {self.settings.endpoint}" if self.settings.endpoint else "")


class AzureConnector(ObjectConnector):
    """Blobs in a container of Azure Blob Storage."""

    settings_model = AzureSettings
    settings: AzureSettings

    def _open(self) -> Bucket:
        store = azure_store(self.settings, self.context)
        return CloudBucket(
            self.context.source,
            self.settings.url,
            self._service(),
            store,
            store,
            "the role Storage Blob Data Reader",
        )

    def _service(self) -> str:
        endpoint = self.settings.endpoint or f"https://{self.settings.account}.blob.core.windows.net"
        return endpoint.rstrip("/")

    def _address(self) -> str:
        return f"{self._service()}/{self.settings.bucket}"

    def _identity(self) -> str:
        where = f" at {self.settings.endpoint}" if self.settings.endpoint else ""
        return f"{self.settings.url} of account {self.settings.account}{where}"
