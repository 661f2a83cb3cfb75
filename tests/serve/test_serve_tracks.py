"""Pages of tracks, outlines of their sound, covers: all ask rights and withdrawals again, and say what is so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote
from xml.etree import ElementTree

import httpx
import pytest
from serve_site import ENDGAME, HOSTILE, KEPT, ODD, ODD_NAME, Site

from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Authority, Dates, Reason, Tombstone, WithdrawalState
from fonoteca.register import recording_of
from fonoteca.serve.paths import recording_url, track_url, waveform_url

APEX = f"/tracks/{ENDGAME}/Apex%20Aleph.ogg"
ARTWORK = ObjectId("urn:fonoteca:artwork:folder:endgame-singularity")


@pytest.fixture
def withdrawn(site: Site) -> Iterator[ObjectId]:
    """Return a release that is withdrawn while the test runs."""
    now = site.rooms.clock.now()
    tombstone = Tombstone(ENDGAME, 1, 0, WithdrawalState.DARK, Reason.OPERATOR, "", Dates(now, now, now))
    site.rooms.register.withdrawals.enter(tombstone, Authority.OWN)
    yield ENDGAME
    site.rooms.register.withdrawals.clear()


def test_track_page_tells_licence_evidence_copies_and_ways_to_take_it(site: Site, client: httpx.Client) -> None:
    text = client.get(APEX).text
    row = next(each for each in site.rooms.register.files(ENDGAME) if each.title == "Apex Aleph")
    told = ("CC BY-SA 3.0", "Max McCracken (Maxstack)", "Evidence", row.stored.hashes.sha256, "LUFS", "place", "90 % interval")
    assert [each for each in told if each not in text] == []
    assert f'href="/listen/{ENDGAME}/Apex%20Aleph.ogg?format=opus' in text
    assert f'rel="next">{row.title}' not in text


def test_what_the_player_is_told_leads_to_the_sound(client: httpx.Client) -> None:
    found = re.findall(r'data-track="([^"]+)"', client.get(f"/objects/{ENDGAME}").text)
    assert len(found) == 3
    for each in found:
        told = json.loads(unescape(each))
        assert client.head(told["file"]).headers["content-type"] == told["type"] == "audio/ogg"
        assert client.get(told["page"]).status_code == 200
        assert client.get(told["cover"], follow_redirects=True).headers["content-type"] == "image/png"
        assert told["codec"] == "vorbis"
        assert -40 < told["gain"] < 10


def test_recording_of_the_catalogue_leads_to_the_track_that_holds_it(site: Site, client: httpx.Client) -> None:
    row = site.rooms.register.files(ENDGAME)[0]
    answer = client.get(recording_url(recording_of(row.object_id, row.stored)), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, track_url(ENDGAME, row.logical_path))
    recording = site.rooms.catalogue.recording(recording_of(row.object_id, row.stored))
    assert recording is not None
    text = client.get(f"/releases/{recording.release_id}").text
    assert "3 tracks known, 3 held here." in text


@pytest.mark.parametrize("rest", ["", "x", "none/x.ogg", f"{ENDGAME}/none.ogg", f"{ARTWORK}/earth.png", "..%2F..%2Fetc/passwd"])
def test_unknown_track_is_not_here(client: httpx.Client, rest: str) -> None:
    for way in ("tracks", "waveforms"):
        assert client.get(f"/{way}/{rest}").status_code == 404, way
    assert client.get("/releases/0f2d63fd-6042-5a6d-bbd2-58ffa50f4a09").status_code == 404


def test_outline_is_a_picture_that_is_fetched_once(client: httpx.Client) -> None:
    answer = client.get(f"/waveforms/{ENDGAME}/Apex%20Aleph.ogg")
    assert answer.headers["content-type"] == "image/svg+xml"
    drawing = ElementTree.fromstring(answer.text)
    assert drawing.get("viewBox") == "0 0 600 64"
    assert answer.text.count("M") == 200
    assert "script" not in answer.text
    assert len(answer.content) < 8000
    again = client.get(answer.request.url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/waveforms/{ODD}/{quote(ODD_NAME)}").status_code == 200
    assert client.head(f"/waveforms/{ODD}/{quote(ODD_NAME)}").content == b""


def test_nothing_of_what_is_only_kept_is_drawn(client: httpx.Client) -> None:
    assert client.get(waveform_url(KEPT, "song.wav")).status_code == 403
    text = client.get(f"/tracks/{KEPT}/song.wav").text
    assert "Not shared." in text
    assert "data-track" not in text
    assert "/files/" not in text


def test_what_is_withdrawn_has_no_track_no_outline_and_no_cover(client: httpx.Client, withdrawn: ObjectId) -> None:
    for address in (APEX, f"/waveforms/{withdrawn}/Apex%20Aleph.ogg", f"/covers/{withdrawn}"):
        assert client.get(address).status_code == 410, address


def test_release_without_artwork_has_a_drawn_cover(client: httpx.Client) -> None:
    answer = client.get(f"/covers/{ODD}")
    assert answer.headers["content-type"] == "image/svg+xml"
    ElementTree.fromstring(answer.text)
    assert client.get("/covers/urn:fonoteca:audio:folder:none").status_code == 404


def test_a_title_that_is_a_script_is_text_wherever_it_is_shown(client: httpx.Client) -> None:
    for address in (f"/objects/{ODD}", f"/tracks/{ODD}/{quote(ODD_NAME)}", "/search?q=alert"):
        text = client.get(address).text
        assert HOSTILE not in text
        assert "<script>alert" not in text
