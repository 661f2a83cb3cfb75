from __future__ import annotations

import httpx
import pytest


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/releases",
        "/coverage",
        "/coverage.png",
        "/drops",
        "/about",
        "/health",
        "/api/coverage",
        "/api/drops",
        "/search?q=a",
        "/objects/urn:fonoteca:audio:folder:endgame-singularity",
        "/objects/urn:fonoteca:audio:folder:odd",
        "/objects/urn:fonoteca:audio:folder:kept",
        "/artists/Maxstack",
        "/static/fonoteca.css",
        "/api/openapi.json",
    ],
)
def test_x(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text[-500:]
