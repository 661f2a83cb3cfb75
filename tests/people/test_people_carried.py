"""Accounts that move with their archive from SQLite to PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fonoteca.cli.app import run
from fonoteca.model.settings import Settings
from fonoteca.testing.postgres import Cluster
from fonoteca.wiring import create_archive, open_archive

Served = Callable[[Path], AbstractContextManager[dict[str, Any]]]


@pytest.mark.xdist_group("postgresql")
def test_accounts_are_carried_into_the_database_of_the_settings(cluster: Cluster, tmp_path: Path, served: Served) -> None:
    import fonoteca.cli.commands  # noqa: F401  (every command joins)

    folder = tmp_path / "archive"
    create_archive(folder, Settings("moving", "Moving"))
    with open_archive(folder) as archive:
        ada = archive.people.add("Ada", "four words of mine")
        secret = archive.people.add_secret(ada.number, "phone").text
    carry = ["account", "carry", "--archive", str(folder)]
    assert run(carry) == 2, "they are where the settings say"
    settings = folder / "fonoteca.toml"
    address = cluster.create_database("carried")
    settings.write_text(settings.read_text().replace('register = "sqlite"', f'register = "{address}"'))
    with open_archive(folder) as archive:
        assert archive.people.all() == []
    assert run(carry) == 0
    with open_archive(folder) as archive:
        assert archive.people.all() == [ada]
        assert archive.people.by_secret("ada", secret) == ada
    assert run(carry) == 2, "what is there stays"
    assert run(["rebuild", "--archive", str(folder)]) == 0
    other = Path(shutil.copytree(folder, tmp_path / "another-machine"))
    with served(other) as site, open_archive(folder) as archive:
        port, token = httpx.URL(site["url"]).port, archive.people.open_session(ada.number)
        sent = {"Cookie": f"fonoteca-{port}={token}"}
        assert "Ada" in httpx.get(f"{site['url']}account", headers=sent).text, "a session is known to every machine"
        archive.people.close_session(token)
        assert httpx.get(f"{site['url']}account", headers=sent).status_code == 401
        said = {"u": "ada", "p": secret, "f": "json"}
        assert httpx.get(f"{site['url']}rest/ping", params=said).json()["subsonic-response"]["status"] == "ok"
    cluster.drop_database("carried")
