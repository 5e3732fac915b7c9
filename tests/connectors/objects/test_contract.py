"""The contract of connectors, for S3, for Google's XML API and for Azure."""

from __future__ import annotations

import pytest

from tests.connectors.objects.buckets import Bucket, BucketDriver
from tests.contracts.connector_contract import ConnectorContract, Driver


class TestObjects(ConnectorContract):
    @pytest.fixture
    def driver(self, bucket: Bucket, request: pytest.FixtureRequest, soak: bool) -> Driver:
        case = request.node.callspec.params
        no_uri = "uri" in case or case.get("folder", "a.md") not in ("nowhere", "a.md")
        if no_uri and case["bucket"] != "s3" and not soak:
            pytest.skip("Only with --soak. What is no uri is told before a bucket is asked for it.")
        return BucketDriver(bucket)
