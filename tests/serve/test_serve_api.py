"""The API is as its description says, whatever is asked of it; asking again is cheap, and lists go on where they stopped."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serve_site import ENDGAME, KEPT, ODD, Site

from fonoteca.model.withdrawal import Authority, Dates, Reason, Tombstone, WithdrawalState
from fonoteca.serve import create_app

EXAMPLES = 20
PATHS = (
    "/api/search",
    "/api/coverage",
    "/api/coverage/kept",
    "/api/drops",
    "/api/withdrawals",
    "/api/notices",
    "/health",
    "/ready",
)


@pytest.fixture
def withdrawn(site: Site) -> Iterator[None]:
    """Withdraw three releases while a test runs."""
    now = site.rooms.clock.now()
    for number, each in enumerate((ENDGAME, KEPT, ODD), 1):
        tombstone = Tombstone(each, number, 0, WithdrawalState.DARK, Reason.OPERATOR, "", Dates(now, now, now))
        site.rooms.register.withdrawals.enter(tombstone, Authority.OWN)
    yield
    site.rooms.register.withdrawals.clear()


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_as_the_description_says(site: Site, path: str) -> None:
    described = schemathesis.openapi.from_asgi("/api/openapi.json", create_app(site.rooms))
    assert set(described.raw_schema["paths"]) == set(PATHS)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(described[path]["GET"].as_strategy())
    def answers(case: schemathesis.Case) -> None:
        made_up = "after" in case.query  # a place that no answer gave is refused, which no description can say
        case.call_and_validate(excluded_checks=[positive_data_acceptance] if made_up else [])

    answers()


@pytest.mark.parametrize("path", ["/api/drops", "/api/withdrawals", "/api/coverage", "/api/search?q=song", "/health"])
def test_asking_again_costs_no_body_and_head_none_at_all(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    head = client.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    assert head.headers["content-length"] == str(len(first.content))
    refused = client.get("/api/search?q=", headers={"If-None-Match": "*"})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert "etag" not in refused.headers


@pytest.mark.usefixtures("withdrawn")
def test_lists_go_on_after_the_last_one_seen(client: httpx.Client) -> None:
    whole = client.get("/api/withdrawals").json()
    assert (len(whole["withdrawals"]), whole["next"]) == (3, None)
    found, after = [], ""
    while not found or after:
        page = client.get("/api/withdrawals", params={"limit": 2, "after": after}).json()
        assert 0 < len(page["withdrawals"]) <= 2
        found += page["withdrawals"]
        after = page["next"]
    assert found == whole["withdrawals"]
    gone = client.get("/api/withdrawals", params={"after": "nobody"})
    assert (gone.status_code, gone.json()["code"]) == (404, "usage")
