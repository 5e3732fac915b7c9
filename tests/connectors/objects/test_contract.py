"""The contract of connectors, for S3, for Google's XML API and for Azure."""

from __future__ import annotations

import pytest

from tests.connectors.objects.buckets import Bucket, BucketDriver
from tests.contracts.connector_contract import ConnectorContract, Driver


class TestObjects(ConnectorContract):
    @pytest.fixture
    def driver(self, bucket: Bucket) -> Driver:
        return BucketDriver(bucket)
