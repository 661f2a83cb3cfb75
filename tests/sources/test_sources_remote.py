"""Each kind that asks other hosts, over a host on loopback that answers as its source does; and over another Fonoteca."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.corridor import Want
from fonoteca.model.errors import SourceError, SourceMissing, SourceRefused, UsageError
from fonoteca.model.ids import RecordingId
from fonoteca.sources import SOURCES
from fonoteca.sources.kinds.http import HttpSource
from fonoteca.sources.kinds.internet_archive import InternetArchive
from fonoteca.sources.kinds.oai_pmh import OaiPmh
from fonoteca.sources.kinds.opensubsonic import OpenSubsonic
from fonoteca.testing.source_answers import BY, put_archive_item, put_list
from fonoteca.testing.source_hosts import Given, SourceHost
from fonoteca.testing.sources import SONGS, RemoteSuite, Scene
from fonoteca.testing.sources import scene as one_scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with one_scene(DiskStaging(tmp_path / "staging"), tmp_path / "notes.sqlite") as found:
        yield found


class TestInternetArchive(RemoteSuite):
    source = InternetArchive()

    def put(self, host: SourceHost, songs: tuple[bytes, ...], licence: str = BY) -> str:
        put_archive_item(host, "album", {f"{number}.flac": song for number, song in enumerate(songs)}, licence)
        return f"{host.address}/details/album"

    def take_rights_away(self, host: SourceHost) -> str:
        return self.put(host, SONGS, "")


class TestHttpList(RemoteSuite):
    source = HttpSource()

    def put(self, host: SourceHost, songs: tuple[bytes, ...], licence: str = BY) -> str:
        for number, song in enumerate(songs):
            host.put(f"/songs/{number}.flac", song)
        rows = [{"url": f"songs/{n}.flac", "licence": licence, "title": f"Song {n}", "artist": "A"} for n in range(len(songs))]
        return put_list(host, rows)

    def take_rights_away(self, host: SourceHost) -> str:
        return self.put(host, SONGS, "")


class TestHttpFolder(RemoteSuite):
    source = HttpSource()

    def put(self, host: SourceHost, songs: tuple[bytes, ...], licence: str = BY) -> str:
        for number, song in enumerate(songs):
            host.put(f"/m/{number}.flac", song)
        links = "".join(f'<a href="{name}">{name}</a>' for name in ("rights.toml", "0.flac", "1.flac"))
        host.put("/m/", f"<html><body>{links}", "text/html")
        said = f'licence = "{licence}"\n' if licence else ""
        host.put("/m/rights.toml", f'title = "Album"\nartist = "A. Person"\n{said}')
        return f"{host.address}/m/"

    def take_rights_away(self, host: SourceHost) -> str:
        return self.put(host, SONGS, "")


class TestOaiPmh(RemoteSuite):
    source = OaiPmh()

    def put(self, host: SourceHost, songs: tuple[bytes, ...], licence: str = BY) -> str:
        for number, song in enumerate(songs):
            host.put(f"/bitstreams/{number}.flac", song)
        links = "".join(f'<a href="/bitstreams/{number}.flac">x</a>' for number in range(len(songs)))
        host.put("/handle/1", f'<html>{links}<a href="/about">about</a>', "text/html")
        said = {"title": "Album", "creator": "A. Person", "identifier": f"{host.address}/handle/1", "rights": licence}
        put_records(host, {"oai:library.example:1": said})
        return f"{host.address}/oai#oai:library.example:1"

    def take_rights_away(self, host: SourceHost) -> str:
        return self.put(host, SONGS, "")


class TestOpenSubsonic(RemoteSuite):
    source = OpenSubsonic()
    rights_are_stated = False

    def put(self, host: SourceHost, songs: tuple[bytes, ...]) -> str:
        rows = [{"id": f"tr-{n}", "title": f"Song {n}", "path": f"A/B/{n}.flac", "size": len(songs[n])} for n in range(len(songs))]
        for number, song in enumerate(songs):
            host.put(f"/rest/download?id=tr-{number}&v=1.16.1&c=fonoteca&f=json", song)
        answer(host, "getAlbum", {"album": {"id": "al-1", "name": "Album", "artist": "A. Person", "song": rows}})
        return f"{host.address}#al-1 {BY}"

    def take_rights_away(self, host: SourceHost) -> str:
        return f"{host.address}#al-1"

    def song_paths(self, host: SourceHost, candidate: object) -> list[str]:
        return [path for path in host.given if path.startswith("/rest/download")]


def answer(host: SourceHost, method: str, said: dict[str, object], status: str = "ok") -> None:
    """Let a host answer a call of OpenSubsonic."""
    host.put(
        f"/rest/{method}", json.dumps({"subsonic-response": {"status": status, "version": "1.16.1", **said}}), "application/json"
    )


def record_xml(identifier: str, said: dict[str, str]) -> str:
    parts = "".join(f"<dc:{name}>{escape(text)}</dc:{name}>" for name, text in said.items() if text)
    header = f"<header><identifier>{identifier}</identifier></header>"
    return f'<record>{header}<metadata><x xmlns:dc="http://purl.org/dc/elements/1.1/">{parts}</x></metadata></record>'


def oai(inside: str) -> str:
    return f'<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{inside}</OAI-PMH>'


def put_records(host: SourceHost, records: dict[str, dict[str, str]], page_records: int = 2) -> None:
    """Put a repository: each record, and all of them in pages."""
    texts = [record_xml(identifier, said) for identifier, said in records.items()]
    prefix = "/oai?verb="
    for identifier, text in zip(records, texts, strict=True):
        host.put(
            f"{prefix}GetRecord&metadataPrefix=oai_dc&identifier={identifier}", oai(f"<GetRecord>{text}</GetRecord>"), "text/xml"
        )
    pages = [texts[at : at + page_records] for at in range(0, len(texts), page_records)]
    for number, page in enumerate(pages):
        token = f"<resumptionToken>{number + 1}</resumptionToken>" if number + 1 < len(pages) else ""
        ask = f"resumptionToken={number}" if number else "metadataPrefix=oai_dc"
        host.put(f"{prefix}ListRecords&{ask}", oai(f"<ListRecords>{''.join(page)}{token}</ListRecords>"), "text/xml")


def want(title: str, artist: str) -> Want:
    return Want(RecordingId.of("t", title), title, artist, "", "", "", 1000, 0.1, "as-offered", 1, 1)


def library(host: SourceHost) -> dict[str, dict[str, str]]:
    return {
        f"oai:l:{n}": {"title": f"Work {n}", "creator": "A. Person", "identifier": f"{host.address}/{n}.flac", "rights": BY}
        for n in range(5)
    }


def test_all_pages_of_a_repository_are_read_and_a_want_is_found_in_them(scene: Scene) -> None:
    put_records(scene.host, library(scene.host))
    base, context = f"{scene.host.address}/oai", scene.context()
    assert [each.title for each in OaiPmh().candidates(base, context)] == [f"Work {n}" for n in range(5)]
    for _ in range(2):
        assert [each.ref for each in OaiPmh().find(want("work 3", "a. person"), base, context)] == [f"{base}#oai:l:3"]
        assert not list(OaiPmh().find(want("work 3", "somebody else"), base, context))
    assert len(scene.host.asked()) == 6, "the records are read once in a run for wants"


def test_a_list_in_a_circle_is_ended_and_deleted_records_are_not_there(scene: Scene) -> None:
    put_records(scene.host, library(scene.host))
    again = oai(f"<ListRecords>{record_xml('oai:l:9', {'title': 'x'})}<resumptionToken>1</resumptionToken></ListRecords>")
    scene.host.put("/oai?verb=ListRecords&resumptionToken=2", again)
    with pytest.raises(SourceError, match="circle"):
        list(OaiPmh().candidates(f"{scene.host.address}/oai", scene.context()))
    gone = oai('<GetRecord><record><header status="deleted"><identifier>x</identifier></header></record></GetRecord>')
    scene.host.put("/oai?verb=GetRecord&metadataPrefix=oai_dc&identifier=x", gone)
    missing = oai('<error code="idDoesNotExist">no</error>')
    scene.host.put("/oai?verb=GetRecord&metadataPrefix=oai_dc&identifier=y", missing)
    for name in "xy":
        with pytest.raises(SourceMissing):
            list(OaiPmh().candidates(f"{scene.host.address}/oai#{name}", scene.context()))


def test_albums_without_end_are_ended_and_a_want_is_found(scene: Scene) -> None:
    TestOpenSubsonic().put(scene.host, SONGS)
    answer(scene.host, "getAlbumList2", {"albumList2": {"album": [{"id": "al-1"}] * 500}})
    found = list(OpenSubsonic().candidates(f"{scene.host.address} own: hold", scene.context()))
    assert [each.title for each in found] == ["Album"]
    assert len([each for each in scene.host.asked() if each.path.startswith("/rest/getAlbumList2")]) == 2
    song = {"id": "tr-1", "title": "Song 1", "artist": "A. Person", "albumId": "al-1"}
    answer(scene.host, "search3", {"searchResult3": {"song": [song, {**song, "artist": "B", "albumId": "al-2"}]}})
    (there,) = OpenSubsonic().find(want("song 1", "a. person"), f"{scene.host.address} own: hold", scene.context())
    assert (there.ref, there.url) == (f"{scene.host.address}#al-1 own: hold", f"{scene.host.address}/rest/download?id=tr-1")


@pytest.mark.parametrize(("code", "error"), [(40, SourceRefused), (50, SourceRefused), (70, SourceMissing), (0, SourceError)])
def test_what_a_server_refuses_is_a_refusal(scene: Scene, code: int, error: type[SourceError]) -> None:
    answer(scene.host, "getAlbum", {"error": {"code": code, "message": "no"}}, "failed")
    with pytest.raises(error):
        list(OpenSubsonic().candidates(f"{scene.host.address}#al-1", scene.context()))


@pytest.mark.parametrize("kind", ["http", "internet-archive", "oai-pmh", "opensubsonic"])
def test_what_is_no_reference_is_said_to_be_none(scene: Scene, kind: str) -> None:
    for ref in ("", "ftp://example.org/a", "file:///etc/passwd", "nonsense/../x"):
        with pytest.raises(UsageError):
            list(SOURCES[kind].candidates(ref, scene.context()))


def test_a_feed_of_pages_without_end_is_ended(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonoteca.sources.kinds.oai_pmh.PAGES_MAX", 7)
    put_records(scene.host, library(scene.host))
    for number in range(20):
        text = record_xml(f"oai:l:more-{number}", {"title": "x"})
        page = oai(f"<ListRecords>{text}<resumptionToken>{number + 1}</resumptionToken></ListRecords>")
        scene.host.given[f"/oai?verb=ListRecords&resumptionToken={number}"] = Given(page.encode())
    with pytest.raises(SourceError, match="goes on after"):
        list(OaiPmh().candidates(f"{scene.host.address}/oai", scene.context()))


def test_items_of_one_list_that_are_done_at_once_ask_for_it_once(scene: Scene) -> None:
    rows = [{"url": f"{n}.flac", "licence": BY, "item": f"item {n}"} for n in range(8)]
    found = list(HttpSource().candidates(put_list(scene.host, rows), scene.context()))
    scene.host.latency_s = 0.2
    before = len(scene.host.asked())
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda candidate: candidate.restate and candidate.restate(), found))
    assert all(said)
    assert 1 <= len(scene.host.asked()) - before <= 4
    put_list(scene.host, rows[1:])
    again = found[0].restate
    assert again is not None
    with pytest.raises(SourceError, match="no longer lists"):
        again()
