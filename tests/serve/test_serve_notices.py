"""Notices by the site's form: the receipt, the decision, and what a flood, a program or another site's form gets."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from serve_site import Site, serving
from test_serve_signing import browser, csrf

from fonoteca.model.errors import UsageError
from fonoteca.people.notices import Verdict

FIELDS = {
    "kind": "rights",
    "place": "urn:fonoteca:audio:folder:endgame-singularity",
    "reasons": "<script>alert(1)</script> It is mine.",
    "name": "Ada Lovelace",
    "contact": "ada@example.org",
    "faith": "yes",
}


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    """Return the address of a site that is open to all."""
    with serving(site.rooms) as found:
        yield found


def send(client: httpx.Client, **other: str) -> httpx.Response:
    return client.post("/notice", data={**FIELDS, "csrf": csrf(client.get("/notice")), **other})


def test_a_notice_has_a_receipt_that_tells_the_one_decision(site: Site, address: str) -> None:
    notices = site.rooms.people.notices
    with browser(address) as client:
        for missing in ("kind", "place", "reasons", "name", "contact", "faith"):
            assert send(client, **{missing: ""}).status_code == 422, missing
        assert send(client, website="http://spam.example").status_code == 422
        assert send(client, reasons="a" * 20_000).status_code == 422
        assert send(client, reasons="a" * 100_000).status_code == 413
        assert client.post("/notice", data=FIELDS).status_code == 403, "a form without its token"
        sent = send(client)
        assert sent.status_code == 303
        receipt = sent.headers["location"]
        page = client.get(receipt)
        assert page.headers["cache-control"] == "no-store"
        assert "&lt;script&gt;" in page.text
        assert "<script>alert" not in page.text
        assert "ada@example.org" not in page.text, "whoever finds the link does not find who sent it"
        assert "waits for a decision" in page.text
        assert client.get(receipt[:-1]).status_code == 404
        assert client.get("/notice/receipt").status_code == 404

        (found,) = (each.notice for each in notices.queue(10))
        assert (found.words.contact, "ada@example.org" in repr(found)) == ("ada@example.org", False)
        notices.decide([found.number], Verdict(False, "the licence permits it"))
        with pytest.raises(UsageError, match="rejected already: the licence permits it"):
            notices.decide([found.number], Verdict(True, "found right"))
        assert "the licence permits it" in client.get(receipt).text
        assert not notices.queue(10)

        assert "Object to the decision" in client.get(receipt).text
        link = receipt.partition("=")[2]
        objection = {"link": link, "reasons": "<i>\u202eIt does not.", "csrf": csrf(client.get(receipt))}
        assert client.post("/notice/receipt", data={**objection, "csrf": ""}).status_code == 403
        assert client.post("/notice/receipt", data={**objection, "reasons": " "}).status_code == 422
        assert client.post("/notice/receipt", data=objection).status_code == 303
        assert client.post("/notice/receipt", data=objection).status_code == 422, "once"
        assert client.post("/notice/receipt", data={**objection, "link": "x"}).status_code == 404
        notices.decide([found.number], Verdict(False, "it does, see the record"))
        told = client.get(receipt).text
        for words in ("the licence permits it", "&lt;i&gt;", "it does, see the record", "Your objection was denied."):
            assert words in told, words
        assert "Object to the decision" not in told

        answers = [send(client, contact=f"{each}@example.org").status_code for each in range(notices.settings.sent_per_day)]
        assert answers == [*[303] * (notices.settings.sent_per_day - 1), 422]
