"""What players browse follows from what is held, on both engines, and is made anew with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from register_world import NOON, made, rights, second
from sqlalchemy import Engine

from fonoteca.model.audio import Tags
from fonoteca.model.rights import Act
from fonoteca.register import AlbumRow, Description, Order, Page, Register, Shelf, name_key, object_key_of, sort_name

NAMES = ("01.ogg", "02.ogg", "03.ogg")
ALL = Page(100)
ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))]


@pytest.fixture(params=ENGINES)
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Register]:
    """Return a register with five albums of three songs, an object that may only be kept, and one that waits for analysis."""
    address = str(tmp_path / "register.sqlite")
    if request.param != "sqlite":
        engine: Engine = request.getfixturevalue("kept_database")
        address = engine.url.render_as_string(hide_password=False)
    with Register.open(address) as register:
        with register.made_anew() as anew:
            fill(anew)
        yield register


def fill(register: Register) -> None:
    for number, (title, artist) in enumerate(
        [("The Älps", "Björk"), ("beta", "björk "), ("Gamma", ""), ("Delta", "Los Ángeles"), ("Ωmega", "Ωdyssey")]
    ):
        tags = Tags(
            artist=f"Guest {number}" if not artist else "", date=str(1990 + number), genre="Rock; Jazz" if number % 2 else "Rock"
        )
        stored = replace(made(f"a:{number}", names=NAMES, tags=tags), created_at=NOON + timedelta(days=number))
        register.record(stored, rights(f"a:{number}"), Description(title, artist, ""))
    kept = replace(rights("a:kept"), acts=frozenset({Act.HOLD}))
    register.record(made("a:kept"), kept, Description("Kept", "Nobody", ""))
    waits = made("a:waits")
    waits = replace(waits, files=tuple(replace(each, probe=None) for each in waits.files))
    register.record(waits, rights("a:waits"), Description("Waits", "Nobody", ""))


def titles(albums: list[AlbumRow]) -> list[str]:
    return [album.title for album in albums]


def test_each_order_lists_what_may_be_shared_and_nothing_else(held: Register) -> None:
    shelf: Shelf = held.shelf
    assert titles(shelf.albums(Order.NAME, ALL)) == ["The Älps", "beta", "Delta", "Gamma", "Ωmega"]
    assert titles(shelf.albums(Order.ARTIST, ALL)) == ["Delta", "The Älps", "beta", "Gamma", "Ωmega"]
    assert titles(shelf.albums(Order.NEWEST, Page(2, 1))) == ["Delta", "Gamma"]
    assert titles(shelf.albums_of_years(1991, 1993, ALL)) == ["beta", "Gamma", "Delta"]
    assert titles(shelf.albums_of_years(1993, 1991, Page(2))) == ["Delta", "Gamma"]
    assert titles(shelf.albums_of_genre("Jazz", ALL)) == ["beta", "Delta"]
    assert titles(shelf.albums_by_title(sort_name("the al"), ALL)) == ["The Älps"]
    hidden = shelf.keys_of(["urn:fonoteca:audio:a:1", "urn:fonoteca:audio:nowhere"])
    assert titles(shelf.albums(Order.NAME, Page(2, 0, hidden))) == ["The Älps", "Delta"]
    assert {album.album_key for album in shelf.albums(Order.NAME, ALL)} == {
        object_key_of(f"urn:fonoteca:audio:a:{number}") for number in range(5)
    }


def test_an_artist_is_one_however_the_name_is_written(held: Register) -> None:
    shelf = held.shelf
    assert [(row.name, row.album_count) for row in shelf.artists(ALL)] == [
        *(("Los Ángeles", 1), ("Björk", 2), ("Guest 2", 1), ("Ωdyssey", 1))
    ]
    assert titles(shelf.albums_by(name_key("BJÖRK"), ALL)) == ["The Älps", "beta"]
    assert titles(shelf.albums_with(name_key("guest 2"), ALL)) == ["Gamma"]
    found = shelf.artists_at([name_key("björk"), name_key("nobody")])
    assert [(row.name, row.album_count) for row in found.values()] == [("Björk", 2)]


def test_songs_are_paged_from_any_place(held: Register) -> None:
    shelf = held.shelf
    everything = shelf.song_page(ALL)
    assert len(everything) == shelf.counts()[1] == 15
    for limit, offset in ((1, 0), (4, 2), (7, 7), (100, 14), (5, 15), (5, 10**12)):
        assert shelf.song_page(Page(limit, offset)) == everything[offset : offset + limit]
    without = shelf.keys_of(["urn:fonoteca:audio:a:0"])
    assert shelf.song_page(Page(5, 1, without)) == everything[4:9]
    assert [song.album.title for song in shelf.songs_of_genre("Jazz", Page(4, 1))] == ["beta", "beta", "Delta", "Delta"]
    assert [(row.name, row.song_count, row.album_count) for row in shelf.genres()] == [("Jazz", 6, 2), ("Rock", 15, 5)]


def test_a_new_head_takes_the_place_of_the_old(held: Register) -> None:
    first = made("a:0", names=NAMES)
    held.record(second(first), rights("a:0"), Description("Zeta", "Björk", ""))
    [album] = held.shelf.albums_at([object_key_of(first.object_id)])
    assert (album.title, album.song_count, album.year) == ("Zeta", 2, None)
    assert len(held.shelf.songs([album])) == 2
    held.withdrawals.forget(first.object_id)
    assert held.shelf.albums_at([object_key_of(first.object_id)]) == []
    assert held.shelf.counts() == (4, 12)


def test_it_is_the_same_when_made_anew_and_when_loaded(held: Register, tmp_path: Path) -> None:
    before = list(held.natural_rows())
    assert {row[0] for row in before} >= {"album", "album_credit", "album_genre"}
    with held.made_anew() as register:
        fill(register)
    assert list(held.natural_rows()) == before
    with Register.open(tmp_path / "other.sqlite") as other:
        other.load(list(held.dump()))
        assert list(other.natural_rows()) == before
