"""Blobs on a real S3, SeaweedFS: the port's suite, large blobs in parts, and what only S3 does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from fonoteca.edges.disk import DiskStaging
from fonoteca.edges.s3 import S3Blobs, S3Keys, S3Limits, S3Place, open_s3
from fonoteca.ports import Blobs
from fonoteca.testing import BlobsSuite
from fonoteca.testing.seaweed import Seaweed

QUICK = S3Limits(connect_s=1, answer_s=20, retries_max=2, retry_s=3, backoff_first_s=0.01, backoff_max_s=0.05)
_prefixes = count()


def place_on(seaweed: Seaweed, bucket: str = "music") -> S3Place:
    """Return a place where nothing is yet."""
    return S3Place(bucket, f"tests/{next(_prefixes)}", seaweed.endpoint)


def keys_of(seaweed: Seaweed) -> S3Keys:
    return S3Keys.of(seaweed.environment)


@pytest.fixture
def staging(tmp_path: Path) -> DiskStaging:
    return DiskStaging(tmp_path / "staging")


@pytest.fixture
def s3(seaweed: Seaweed) -> Iterator[S3Blobs]:
    """Return blobs where nothing is yet."""
    blobs = open_s3(place_on(seaweed), keys_of(seaweed), QUICK)
    yield blobs
    blobs.close()


class TestS3Blobs(BlobsSuite):
    @pytest.fixture
    def blobs(self, s3: S3Blobs) -> Blobs:
        return s3
