"""A site whose register or store goes away says so, and is there again when they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serve_site import RIGHTS, serving, tone

from fonoteca.flows.acquire import Acquired, acquire
from fonoteca.frontage import serve_rooms
from fonoteca.model.settings import S3Settings, Settings
from fonoteca.ports import SILENCE
from fonoteca.testing.lying_s3 import Lie, LyingS3, lying_s3
from fonoteca.testing.postgres import Cluster, postgres_cluster
from fonoteca.testing.seaweed import Seaweed
from fonoteca.wiring import acquire_rooms, create_archive, open_archive

_PATIENCE_S = 30


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with postgres_cluster() as running:
        yield running


@pytest.fixture
def liar(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Iterator[LyingS3]:
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    with lying_s3(seaweed.host, seaweed.port) as liar:
        yield liar


@pytest.fixture
def archive(cluster: Cluster, liar: LyingS3, tmp_path: Path) -> Path:
    """Return an archive of one song whose register is on PostgreSQL and whose store is on S3."""
    place = f"s3://music/{tmp_path.name}"
    settings = Settings("away", "Away", workers=1, store=place, register=cluster.url(), s3=S3Settings(liar.endpoint))
    create_archive(tmp_path / "archive", settings)
    tone(tmp_path / "music" / "odd" / "song.wav")
    (tmp_path / "music" / "odd" / "rights.toml").write_text(RIGHTS["odd"])
    with open_archive(tmp_path / "archive", writing=True) as opened:
        assert all(
            isinstance(each, Acquired) for each in acquire(acquire_rooms(opened, SILENCE), "folder", str(tmp_path / "music"))
        )
    return tmp_path / "archive"


def _is_back(client: httpx.Client) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if client.get("/ready").status_code == 200:
            return True
        time.sleep(0.1)
    return False


def test_register_and_store_may_go_away_and_come_back(archive: Path, cluster: Cluster, liar: LyingS3) -> None:
    with (
        open_archive(archive) as opened,
        serving(serve_rooms(opened)) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        song = client.get("/releases").text.split('href="/objects/')[1].split('"')[0]
        page = f"/objects/{song}"
        assert (client.get("/ready").status_code, client.get(page).status_code) == (200, 200)
        cluster.kill()
        for path in ("/ready", "/health", page, "/api/withdrawals"):
            refused = client.get(path)
            assert refused.status_code == 503, path
            assert refused.headers["retry-after"], path
        assert client.get("/ready").headers["content-type"] == "application/problem+json"
        assert client.get("/about").status_code in (200, 503)
        cluster.start()
        assert _is_back(client)
        assert client.get(page).status_code == 200
        for method in ("GET", "HEAD"):
            liar.lies.append(Lie(method, status=503, code="SlowDown"))
        assert client.get("/ready").status_code == 503
        liar.lies.clear()
        assert _is_back(client)
        assert client.get(page).status_code == 200
