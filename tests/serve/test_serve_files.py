"""Bytes over HTTP: exact, conditional, and only what the records name and rights let out."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO
from urllib.parse import quote, urlsplit

import httpx
import pytest
from serve_site import ENDGAME, KEPT, ODD, ODD_NAME, Site

from fonoteca.formats.swarmfile import DropSeen, SwarmSeen, parse_swarm
from fonoteca.model.corridor import Damage, DamageKind, Drop, DropKind, MemberFile, RankRange
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.model.fixity import Stamp
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import DropId, InfohashV1, InfohashV2
from fonoteca.model.rights import Policy
from fonoteca.ports import Blobs
from fonoteca.register import FileRow, MemberRow, Register
from fonoteca.serve.paths import file_url
from fonoteca.serve.proving import Remembered

LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"
SLOW_CLIENTS = 60
"""Starlette's thread pool has 40 threads."""


def first_url(site: Site, object_id: str) -> str:
    """Return the address of an object's first file."""
    return file_url(object_id, site.rooms.register.files(object_id)[0].logical_path)


def raw(client: httpx.Client, target: str, method: str = "GET") -> tuple[int, bytes]:
    """Return the answer to a request target that is sent exactly as it is written."""
    host = urlsplit(str(client.base_url)).netloc
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.putrequest(method, target, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_file_comes_whole_with_its_type_name_and_digest(site: Site, client: httpx.Client) -> None:
    row = site.rooms.register.files(ENDGAME)[0]
    answer = client.get(first_url(site, ENDGAME))
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == row.stored.hashes.sha256
    assert answer.headers["content-type"] == "audio/ogg"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == f'"{row.stored.hashes.sha256}"'
    assert answer.headers["content-disposition"].startswith('inline; filename="Apex Aleph.ogg"')
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; sandbox")
    saved = client.get(first_url(site, ENDGAME) + "?download")
    assert saved.headers["content-disposition"].startswith("attachment;")


def test_ranges_put_together_are_the_file(site: Site, client: httpx.Client) -> None:
    url = first_url(site, ENDGAME)
    whole = client.get(url).content
    middle = len(whole) // 2
    parts = [client.get(url, headers={"Range": wanted}) for wanted in (f"bytes=0-{middle - 1}", f"bytes={middle}-")]
    assert [part.status_code for part in parts] == [206, 206]
    assert parts[0].headers["content-range"] == f"bytes 0-{middle - 1}/{len(whole)}"
    assert b"".join(part.content for part in parts) == whole
    assert client.get(url, headers={"Range": "bytes=-7"}).content == whole[-7:]
    beyond = client.get(url, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")


def test_head_says_what_get_would_and_sends_nothing(site: Site, client: httpx.Client) -> None:
    url = first_url(site, ENDGAME)
    got, head = client.get(url), client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "last-modified", "content-disposition"):
        assert head.headers[name] == got.headers[name]
    part = client.head(url, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")


def test_conditions_spare_the_bytes(site: Site, client: httpx.Client) -> None:
    url = first_url(site, ENDGAME)
    known = client.get(url).headers
    for condition in ({"If-None-Match": known["etag"]}, {"If-Modified-Since": known["last-modified"]}):
        answer = client.get(url, headers=condition)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", known["etag"])
    assert client.get(url, headers={"If-Match": '"other"'}).status_code == 412
    assert client.get(url, headers={"If-Unmodified-Since": LONG_AGO}).status_code == 412
    assert client.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200


def test_file_with_an_odd_name_is_found_under_the_address_that_pages_give(site: Site, client: httpx.Client) -> None:
    [row] = site.rooms.register.files(ODD)
    assert row.logical_path.rsplit("/", 1)[-1] == ODD_NAME
    answer = client.get(file_url(ODD, row.logical_path))
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith(f"filename*=UTF-8''{quote(ODD_NAME, safe='')}")


@pytest.mark.parametrize(
    "target",
    [
        "/files/",
        "/files/x",
        f"/files/{ENDGAME}",
        f"/files/{ENDGAME}/",
        f"/files/{ENDGAME}/nothing.ogg",
        f"/files/{ENDGAME}/../../../../etc/passwd",
        f"/files/{ENDGAME}/%2e%2e/%2e%2e/register.sqlite",
        f"/files/{ENDGAME}/..%2f..%2fregister.sqlite",
        f"/files/{ENDGAME}/metadata.json",
        f"/files/{ENDGAME}/%00",
        f"/files/{ENDGAME}/%ff%fe",
        "/files/" + "a/" * 5000,
        "/editions/../register.sqlite",
        "/editions/%2e%2e/register.sqlite",
        "/editions/..%2fregister.sqlite",
        "/editions/.hidden",
        "/editions/drops",
        "/editions/%2fetc%2fpasswd",
        "/editions//etc/passwd",
        "/editions/" + "a" * 5000,
        "/editions/" + "a/" * 2500 + "a",
        "/webseed/",
        "/webseed/test-archive",
        "/webseed/test-archive/../register.sqlite",
        "/webseed/test-archive/0=ocfl_1.1",
        "/webseed/test-archive/%2e%2e/private/evidence-salt",
        "/webseed/test-archive-catalogue-1999-01-01/recordings.parquet",
        "/webseed/test-archive-search-1999-01-01/meta.json",
        "/webseed/other/x",
        "/static/../templates/base.html",
        "/static/%2e%2e/app.py",
    ],
)
def test_path_that_no_record_names_is_nowhere(client: httpx.Client, target: str) -> None:
    status, body = raw(client, target)
    assert status == 404
    assert b"root:" not in body
    assert b"SQLite format" not in body


def test_file_that_may_only_be_kept_is_forbidden_and_says_why(site: Site, client: httpx.Client) -> None:
    answer = client.get(first_url(site, KEPT))
    assert answer.status_code == 403
    assert "keep it, and not share it" in answer.text


def test_permission_that_is_withdrawn_closes_the_file_and_the_web_seed_at_once(site: Site) -> None:
    settings = replace(site.rooms.settings, rights=Policy(refuse_noncommercial=True))
    [row] = site.rooms.register.files(ODD)
    with site.client(settings=settings) as client:
        for url in (file_url(ODD, row.logical_path), f"/webseed/test-archive/{quote(row.path)}"):
            answer = client.get(url)
            assert answer.status_code == 451
            assert row.stored.hashes.sha256.encode() not in answer.content
        assert client.get(first_url(site, ENDGAME)).status_code == 200
        page = client.get(f"/objects/{ODD}")
        assert "Not shared." in page.text
        assert "/files/" not in page.text


def test_rights_that_cannot_be_read_let_nothing_out(site: Site) -> None:
    class Unreadable:
        def rights(self, object_id: str) -> object:
            raise StoreError(object_id, "the disk failed at /secret/place")

    with site.client(store=Unreadable()) as client:
        answer = client.get(first_url(site, ENDGAME))
        assert answer.status_code == 503
        assert "secret" not in answer.text


class EndlessBlobs:
    """A store with one file of a length that it has not really."""

    def __init__(self, blobs: Blobs, key: str, file_bytes: int) -> None:
        self._blobs, self._key, self._bytes = blobs, key, file_bytes

    def open(self, key: str) -> BinaryIO:
        return self._blobs.open(key) if key != self._key else io.BytesIO(bytes(self._bytes))  # type: ignore[return-value]

    def stamp(self, key: str) -> Stamp | None:
        return self._blobs.stamp(key) if key != self._key else (self._bytes, 1)


class LongFile:
    """A register that gives one file that length."""

    def __init__(self, register: Register, path: str, file_bytes: int) -> None:
        self._register, self._path, self._bytes = register, path, file_bytes

    def __getattr__(self, name: str) -> object:
        return getattr(self._register, name)

    def file_by_path(self, path: str) -> MemberRow | None:
        row = self._register.file_by_path(path)
        return replace(row, file_bytes=self._bytes) if row and path == self._path else row

    def hashes_by_path(self, path: str) -> FileHashes | None:
        return None if path == self._path else self._register.hashes_by_path(path)


class ClaimedType:
    """A register whose files claim a type: on a mirror the metadata is another archive's, and may be hostile."""

    def __init__(self, register: Register, media_type: str) -> None:
        self._register = register
        self._media_type = media_type

    def __getattr__(self, name: str) -> object:
        return getattr(self._register, name)

    def file(self, object_id: str, logical_path: str) -> FileRow | None:
        row = self._register.file(object_id, logical_path)
        return row and replace(row, media_type=self._media_type)


@pytest.mark.parametrize("claimed", ["text/html", "text/javascript", "image/svg+xml", "audio/ogg\r\nX-Own: 1", "audio/Ω", ""])
def test_file_that_claims_to_be_a_page_is_served_as_mere_bytes(site: Site, claimed: str) -> None:
    with site.client(register=ClaimedType(site.rooms.register, claimed)) as client:
        answer = client.get(first_url(site, ENDGAME))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; sandbox")


def test_object_that_the_store_lost_is_not_the_reader_s_mistake(site: Site) -> None:
    class Lost:
        def rights(self, object_id: str) -> object:
            raise UsageError(object_id, "no such object is held")

    with site.client(store=Lost()) as client:
        for address in (first_url(site, ENDGAME), f"/objects/{ENDGAME}"):
            assert client.get(address).status_code == 503


def test_file_known_to_be_damaged_is_never_served(site: Site, client: httpx.Client) -> None:
    register = site.rooms.register
    row = register.files(ENDGAME)[1]
    damage = Damage(ENDGAME, MemberFile(row.path, row.stored.hashes), DamageKind.DIGEST, (0,), "aa", "bb")
    url = file_url(ENDGAME, row.logical_path)
    register.record_check(ENDGAME, row.path, datetime(2026, 2, 1, tzinfo=UTC), damage)
    try:
        for each in (url, f"/webseed/test-archive/{quote(row.path)}"):
            assert client.get(each).status_code == 503
        page = client.get(f"/objects/{ENDGAME}").text
        assert url not in page
        assert "This copy is damaged" in page
    finally:
        register.record_check(ENDGAME, row.path, datetime(2026, 2, 2, tzinfo=UTC), None)
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("lie", ["shorter", "missing"])
def test_file_that_the_disk_lost_is_never_sent_as_whole(site: Site, client: httpx.Client, lie: str) -> None:
    row = site.rooms.register.files(ENDGAME)[2]
    path = site.folder / "store" / row.path
    content = path.read_bytes()
    path.unlink()
    if lie == "shorter":
        path.write_bytes(content[:-1])
    try:
        answer = client.get(file_url(ENDGAME, row.logical_path))
        assert answer.status_code == 503
        assert "until it is healed" in answer.text
    finally:
        path.write_bytes(content)
        site.rooms.register.auditing.enter_check(site.rooms.clock.now(), row.path, "")


def test_web_seed_gives_every_member_of_a_shareable_version(site: Site, client: httpx.Client) -> None:
    stored = site.rooms.register.stored_version(ENDGAME, 1)
    assert stored is not None
    for member in stored.members:
        answer = client.get(f"/webseed/test-archive/{quote(member.path)}")
        assert answer.status_code == 200, member.path
        assert hashlib.sha256(answer.content).hexdigest() == member.hashes.sha256
    part = client.get(f"/webseed/test-archive/{quote(stored.members[0].path)}", headers={"Range": "bytes=1-3"})
    assert (part.status_code, len(part.content)) == (206, 3)


def test_web_seed_gives_the_snapshot_in_force(site: Site, client: httpx.Client) -> None:
    snapshot = site.rooms.catalogue.snapshot()
    assert snapshot is not None
    base = f"/webseed/test-archive-catalogue-{snapshot.name}"
    for path, sha256 in snapshot.files:
        assert hashlib.sha256(client.get(f"{base}/{path}").content).hexdigest() == sha256
    assert client.get(f"{base}/snapshot.json").json()["name"] == snapshot.name


def test_pad_file_is_zeros_and_never_longer_than_a_piece(client: httpx.Client) -> None:
    pad = "/webseed/test-archive/.pad/16383"
    assert client.get(pad).content == bytes(16383)
    part = client.get(pad, headers={"Range": "bytes=100-4999"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, bytes(4900), "bytes 100-4999/16383")
    head = client.head(pad)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "16383", b"")
    assert client.get(pad, headers={"If-None-Match": head.headers["etag"]}).status_code == 304
    for wrong in ("0", "16384", "-1", "01", "99999999999", "1/1", "x", "", "１"):
        assert client.get(f"/webseed/test-archive/.pad/{quote(wrong)}").status_code == 404, wrong


def test_clients_that_read_nothing_keep_no_one_waiting(site: Site) -> None:
    """More of them than a server has threads, each in the middle of an answer that no socket buffer holds."""
    rows = site.rooms.register.files(ENDGAME)
    row = max(rows, key=lambda each: each.file_bytes)
    large = row.file_bytes * 64
    endless = EndlessBlobs(site.rooms.blobs, row.path, large)
    register = LongFile(site.rooms.register, row.path, large)
    remembered = Remembered()
    remembered.add(row.path, (large, 1))
    with site.client(blobs=endless, register=register, remembered=remembered) as client, contextlib.ExitStack() as open_now:
        host = urlsplit(str(client.base_url))
        for _ in range(SLOW_CLIENTS):
            slow = open_now.enter_context(socket.create_connection((host.hostname, host.port), timeout=20))
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(f"GET /webseed/test-archive/{quote(row.path)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert slow.recv(12) == b"HTTP/1.1 200"
        other = min(rows, key=lambda each: each.file_bytes)
        answer = client.get(f"/webseed/test-archive/{quote(other.path)}")
        assert hashlib.sha256(answer.content).hexdigest() == other.stored.hashes.sha256


def test_editions_are_served_as_they_lie(site: Site, client: httpx.Client) -> None:
    site.rooms.editions.write("drops/audio-0123456789abcdef.torrent", b"d4:infode")
    site.rooms.editions.write("index.json", b"{}")
    answer = client.get("/editions/drops/audio-0123456789abcdef.torrent")
    assert (answer.content, answer.headers["content-type"]) == (b"d4:infode", "application/x-bittorrent")
    assert client.get("/editions/index.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 200
    again = client.get("/editions/drops/audio-0123456789abcdef.torrent", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(site: Site, client: httpx.Client, method: str) -> None:
    for path in ("/", first_url(site, ENDGAME), "/api/drops", "/editions/index.json"):
        assert client.request(method, path).status_code == 405


def test_drops_are_listed_with_links_that_name_both_infohashes(site: Site, client: httpx.Client) -> None:
    v1, v2 = "1" * 40, "2" * 64
    drop = Drop(
        DropId("audio-0123456789abcdef"),
        DropKind.AUDIO,
        (),
        InfohashV1(v1),
        InfohashV2(v2),
        5000,
        7,
        0.25,
        datetime(2026, 2, 1, tzinfo=UTC),
    )
    site.rooms.register.record_drop(drop)
    site.rooms.editions.write(f"drops/{drop.id}.torrent", b"d4:infode")
    [found] = [each for each in client.get("/api/drops").json()["drops"] if each["id"] == drop.id]
    magnet = f"magnet:?xt=urn:btih:{v1}&xt=urn:btmh:1220{v2}&dn=test-archive&tr=udp%3A%2F%2Ftracker.example%3A1%2Fa"
    assert (found["magnet"], found["torrent"]) == (magnet, "/editions/drops/audio-0123456789abcdef.torrent")
    page = client.get("/drops").text
    assert magnet.replace("&", "&amp;") in page
    assert "synthetic" in page
    assert "25 %" in page
    assert (found["seeds"], found["given"], found["seen_at"], found["stale"], found["damaged"]) == (None, None, None, False, 0)
    assert "not known" in page


@pytest.mark.parametrize("seeds", [None, 0, 1234])
def test_a_drop_says_who_has_it_when_that_was_seen_and_whether_it_is_given_out(site: Site, seeds: int | None) -> None:
    drop_id = DropId("audio-fedcba9876543210")
    made = datetime(2026, 2, 1, tzinfo=UTC)
    site.rooms.register.record_drop(
        Drop(drop_id, DropKind.AUDIO, (), InfohashV1("3" * 40), InfohashV2("4" * 64), 5000, 7, 0.25, made, ranks=RankRange(1, 9000))
    )
    site.rooms.editions.write(f"drops/{drop_id}.torrent", b"d4:infode")

    def noted(age: timedelta, withheld: str = "") -> SwarmSeen:
        return SwarmSeen(site.rooms.clock.now() - age, (DropSeen(drop_id, seeds, 5, 10, withheld),))

    def said(seen: SwarmSeen) -> tuple[dict[str, object], str]:
        with site.client(swarm_seen=lambda: seen) as client:
            [found] = [each for each in client.get("/api/drops").json()["drops"] if each["id"] == drop_id]
            return found, client.get("/drops").text

    found, page = said(noted(timedelta(minutes=5)))
    assert (found["seeds"], found["peers"], found["given"], found["withheld"], found["stale"]) == (seeds, 5, True, None, False)
    assert (found["first_rank"], found["last_rank"]) == (1, 9000)
    assert "Given out by this archive, to 5 peers" in page
    assert "1 to 9,000" in page
    assert "more than a day ago" not in page
    assert f"<dd>{'not known' if seeds is None else format(seeds, ',')}" in page
    assert 'class="tag kind-audio"' in page
    assert "/editions/feed.xml" in page
    assert "/editions/SHA256SUMS" in page
    found, page = said(noted(timedelta(days=2), "its <rights> ended"))
    assert (found["given"], found["withheld"], found["stale"]) == (False, "its <rights> ended", True)
    assert "Withheld here: its &lt;rights&gt; ended" in page
    assert "more than a day ago" in page
    site.rooms.register.forget_drop(drop_id)


def test_a_swarm_file_that_cannot_be_read_leaves_the_drops_to_be_had(site: Site) -> None:
    def broken() -> SwarmSeen:
        return parse_swarm(b"{")

    with site.client(swarm_seen=broken) as client:
        assert client.get("/drops").status_code == 200
        assert all(each["seeds"] is None for each in client.get("/api/drops").json()["drops"])
