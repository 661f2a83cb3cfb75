"""The files for people say what the index says, are signed for, travel unchanged, and come back when they are lost."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from editions_payload import HEADING, NOW, editions_in
from hypothesis import given
from hypothesis import strategies as st
from trust_world import HOUR, Origin, Watcher, more_drops, reader, some_drops

from fonoteca.editions import Announcement, Heading, Index, Terms
from fonoteca.editions.people import FEED, PEOPLE, SUMS, TORRENT_TYPE, feed_xml
from fonoteca.formats.metainfo import Announce
from fonoteca.model.errors import TrustError, UsageError
from fonoteca.model.settings import EditionSettings

ANNOUNCED = Announcement("https://jazz.example/e/", Announce(("udp://t.example:1/a?b=c&d",), ("https://jazz.example/webseed/",)))
ATOM, EZRSS = "{http://www.w3.org/2005/Atom}", "{http://xmlns.ezrss.it/0.1/}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of an edition."""
    editions_in(tmp_path / "editions").publish(HEADING, some_drops(), Terms(NOW, announced=ANNOUNCED))
    return tmp_path / "editions"


def sums_hold(folder: Path) -> bool:
    return subprocess.run(("sha256sum", "--check", "--strict", "--quiet", SUMS), cwd=folder, check=False).returncode == 0


def test_the_feed_has_an_item_for_each_drop_the_newest_first(folder: Path) -> None:
    index = editions_in(folder).index()
    assert index is not None
    rss = ElementTree.fromstring((folder / FEED).read_bytes())
    channel = rss[0]
    assert (rss.tag, rss.get("version"), channel.findtext("title")) == ("rss", "2.0", HEADING.archive)
    assert channel.find(f"{ATOM}link").attrib == {  # type: ignore[union-attr]
        "href": "https://jazz.example/e/feed.xml",
        "rel": "self",
        "type": "application/rss+xml",
    }
    items = channel.findall("item")
    assert len(items) == len(index.entries)
    for item, entry in zip(items, reversed(index.entries), strict=True):
        enclosure = item.find("enclosure")
        assert enclosure is not None
        torrent = folder / entry.torrent.path
        assert enclosure.attrib == {
            "url": f"https://jazz.example/e/{entry.torrent.path}",
            "length": str(torrent.stat().st_size),
            "type": TORRENT_TYPE,
        }
        assert item.findtext("guid") == f"urn:btmh:1220{entry.infohash_v2}"
        assert item.find("guid").get("isPermaLink") == "false"  # type: ignore[union-attr]
        assert parsedate_to_datetime(item.findtext("pubDate") or "") == entry.created_at
        scheme, _, query = (item.findtext(f"{EZRSS}magnetURI") or "").partition("?")
        assert scheme == "magnet:"
        assert parse_qs(query) == {
            "xt": [f"urn:btih:{entry.infohash_v1}", f"urn:btmh:1220{entry.infohash_v2}"],
            "dn": [HEADING.root_name],
            "tr": list(ANNOUNCED.announce.trackers),
            "ws": list(ANNOUNCED.announce.web_seeds),
        }


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=80).filter(str.isprintable))
def test_whatever_an_archive_is_called_its_feed_is_well_formed(title: str) -> None:
    index = Index(Heading(title, "jazz", HEADING.piece_bytes), 1, NOW, ())
    assert ElementTree.fromstring(feed_xml(index, Announcement())).findtext("channel/title") == title


def test_without_an_address_the_links_are_relative(tmp_path: Path) -> None:
    editions_in(tmp_path).publish(HEADING, some_drops(), Terms(NOW))
    channel = ElementTree.fromstring((tmp_path / FEED).read_bytes())[0]
    assert channel.find(f"{ATOM}link") is None
    urls = [each.get("url", "") for each in channel.iter("enclosure")]
    assert urls
    assert all((tmp_path / url).is_file() for url in urls)


def test_an_address_is_a_folders() -> None:
    for wrong in ("jazz.example/", "https://jazz.example/editions", "ftp://jazz.example/", "https://jazz.example/a b/"):
        with pytest.raises(UsageError, match="address"):
            EditionSettings(address=wrong)


def test_the_sums_are_of_every_file_that_the_targets_sign_for(folder: Path) -> None:
    assert sums_hold(folder)
    listed = {line[66:] for line in (folder / SUMS).read_text().splitlines()}
    signed = Watcher().look(folder).targets
    assert listed | {SUMS} == set(signed)
    (folder / FEED).write_bytes(b"<rss/>")
    assert not sums_hold(folder)


def test_a_new_edition_has_new_ones_and_nothing_new_changes_none(folder: Path) -> None:
    editions = editions_in(folder)
    first = {path: (folder / path).read_bytes() for path in PEOPLE}
    elsewhere = Terms(NOW + HOUR, announced=Announcement("https://elsewhere.example/"))
    editions.publish(HEADING, some_drops(), elsewhere)
    assert first == {path: (folder / path).read_bytes() for path in PEOPLE}
    editions.publish(HEADING, more_drops(), replace(elsewhere, at=NOW + 2 * HOUR))
    for path, before in first.items():
        content = (folder / path).read_bytes()
        assert content != before
        assert (folder / f"{sha256(content).hexdigest()}.{path}").read_bytes() == content
        assert (folder / f"{sha256(before).hexdigest()}.{path}").read_bytes() == before
    assert sums_hold(folder)


def test_what_is_lost_is_made_again_byte_for_byte(folder: Path) -> None:
    def people() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.endswith(PEOPLE)}

    before, targets = people(), Watcher().look(folder).targets
    assert len(before) == 4
    for name in before:
        (folder / name).unlink()
    editions_in(folder).publish(HEADING, [], Terms(NOW + HOUR, announced=ANNOUNCED))
    assert people() == before
    assert Watcher(NOW + HOUR).look(folder).targets == targets


def test_a_feed_that_settings_make_another_one_is_signed_for_when_it_was_lost(folder: Path) -> None:
    for path in folder.glob(f"*{FEED}"):
        path.unlink()
    editions_in(folder).commit(editions_in(folder).renewed(Terms(NOW + HOUR, announced=Announcement())))
    assert not (folder / FEED).exists(), "to renew a date needs no key of the targets"
    editions_in(folder).publish(HEADING, [], Terms(NOW + HOUR, announced=Announcement()))
    assert sums_hold(folder)
    content = (folder / FEED).read_bytes()
    assert Watcher(NOW + HOUR).look(folder).targets[FEED].sha256 == sha256(content).hexdigest()


def test_a_mirror_has_them_unchanged_and_refuses_others(tmp_path: Path) -> None:
    origin = Origin(tmp_path / "origin")
    origin.publish(some_drops())
    trusted = Watcher(origin.at).look(origin.folder)
    mirror = editions_in(tmp_path / "mirror")
    mirror.mirror(trusted, reader(origin.folder))
    for path in PEOPLE:
        assert (tmp_path / "mirror" / path).read_bytes() == (origin.folder / path).read_bytes()
    assert sums_hold(tmp_path / "mirror")
    (tmp_path / "mirror" / FEED).unlink()
    mirror.mirror(trusted, reader(origin.folder))
    assert sums_hold(tmp_path / "mirror")
    stamped = next(path for path in origin.folder.glob(f"*.{FEED}"))
    stamped.write_bytes(stamped.read_bytes().replace(b"jazz", b"java"))
    with pytest.raises(TrustError, match=FEED):
        editions_in(tmp_path / "other").mirror(trusted, reader(origin.folder))
    assert not (tmp_path / "other" / "metadata").exists()


def test_they_travel_with_a_stage(tmp_path: Path) -> None:
    origin = Origin(tmp_path)
    origin.publish(some_drops())
    later = Terms(origin.at + timedelta(hours=1), announced=ANNOUNCED)
    staged = origin.editions.stage(HEADING, more_drops(), later)
    files = origin.editions.staged(staged)
    with pytest.raises(UsageError, match=FEED):
        origin.editions.finish([{name: content for name, content in files.items() if not name.endswith(FEED)}], later)
    origin.editions.commit(origin.editions.finish([files], later))
    assert sums_hold(tmp_path)
    assert b"edition" in (tmp_path / FEED).read_bytes().lower()
