"""What is kept for accounts, on SQLite and PostgreSQL: it is theirs alone, bounded, and gone when they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Table, insert, select, text, update

from fonoteca.model.errors import UsageError
from fonoteca.people import People
from fonoteca.people.personal import Kind, Part, Revised, Scrobble, Song, Thing, listening, marks, places, playlists, tables
from fonoteca.people.personal.listening import Hearer
from fonoteca.people.personal.packing import packed, unpacked
from fonoteca.people.schema import VERSION, accounts, metadata, version
from fonoteca.sql.engine import open_engine, writing

if TYPE_CHECKING:
    from conftest import Hand

NAME = (5, "00000000beef")
LOWEST = -(1 << 63)
SONGS = tuple(Song(number if number % 3 else LOWEST + number, f"{number:012x}") for number in range(1, 9))
ALBUM, ARTIST, SONG = Thing(Kind.ALBUM, 5), Thing(Kind.ARTIST, 5), Thing(Kind.SONG, 5, "00000000beef")


NAMES = [(song.album, song.path) for song in SONGS]


def account(people: People, name: str) -> int:
    """Return the number of a new account, without the cost of a password."""
    row = {"name": name, "folded": name.lower(), "role": "listener", "password": "", "disabled": False, "created": 0}
    return people.personal.marks._desk.change(
        lambda connection: int(connection.execute(insert(accounts).values(**row).returning(accounts.c.number)).scalar_one())
    )


@pytest.fixture
def ada(people: People) -> int:
    return account(people, "Ada")


@pytest.fixture
def eve(people: People) -> int:
    return account(people, "Eve")


def revised(songs: tuple[Song, ...] = SONGS, revision: int = 0, name: str = "Mine", *, public: bool = False) -> Revised:
    return Revised(revision, name, "", public, songs, 1000 * len(songs))


def test_packed_songs_come_out_in_order() -> None:
    assert unpacked(packed(SONGS[::-1])) == SONGS[::-1]
    assert unpacked(b"") == ()


def test_stars_and_ratings_are_kept_apart_and_of_one_account(people: People, hand: Hand, ada: int, eve: int) -> None:
    kept = people.personal.marks
    kept.star(ada, [ALBUM, ARTIST, SONG, ALBUM])
    began = hand.now()
    hand.move(hours=1)
    kept.star(ada, [ALBUM])
    kept.rate(ada, ALBUM, 4)
    assert [(mark.starred, mark.rating) for mark in kept.of(ada, Kind.ALBUM, [(5, ""), (6, "")]).values()] == [(began, 4)]
    assert list(kept.of(ada, Kind.SONG, [NAME, (5, "0" * 12)])) == [NAME]
    many = [(number, NAME[1]) for number in range(10_000)]
    assert kept.of(ada, Kind.SONG, many) == kept.of(ada, Kind.SONG, [NAME])
    assert kept.of(eve, Kind.ALBUM, [(5, "")]) == kept.of(ada, Kind.ALBUM, []) == {}
    kept.unstar(ada, [ALBUM, SONG, Thing(Kind.ALBUM, 99)])
    assert [(mark.starred, mark.rating) for mark in kept.of(ada, Kind.ALBUM, [(5, "")]).values()] == [(None, 4)]
    assert kept.of(ada, Kind.SONG, [NAME]) == {}
    kept.rate(ada, ALBUM, 0)
    assert kept.of(ada, Kind.ALBUM, [(5, "")]) == {}
    for rating in (-1, 6):
        with pytest.raises(UsageError):
            kept.rate(ada, ALBUM, rating)


def test_starred_and_highest_are_lists_in_order_and_in_pages(people: People, hand: Hand, ada: int) -> None:
    kept = people.personal.marks
    for number in range(1, 6):
        kept.star(ada, [Thing(Kind.ALBUM, number), Thing(Kind.SONG, number, f"{number:012x}")])
        kept.rate(ada, Thing(Kind.ALBUM, number), 1 + number % 3)
        hand.move(minutes=1)
    assert kept.starred(ada, Kind.ALBUM, Part(9)) == [5, 4, 3, 2, 1]
    assert kept.starred(ada, Kind.ALBUM, Part(2, 1, {4})) == [3, 2]
    assert kept.highest(ada, Kind.ALBUM, Part(9)) == [2, 5, 1, 4, 3]
    assert kept.starred(ada, Kind.ARTIST, Part(9)) == []
    assert [song.album for song in kept.starred_songs(ada, 3)] == [5, 4, 3]


def test_there_is_a_limit_to_everything(people: People, ada: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (marks, "MARKS_MOST"),
        (playlists, "PLAYLISTS_MOST"),
        (places, "BOOKMARKS_MOST"),
        (places, "PLAYERS_MOST"),
    ):
        monkeypatch.setattr(module, name, 2)
    mine = people.personal
    mine.marks.star(ada, [ALBUM, ARTIST])
    with pytest.raises(UsageError, match="at most 2"):
        mine.marks.rate(ada, SONG, 1)
    assert mine.marks.of(ada, Kind.SONG, [NAME]) == {}
    for song in SONGS[:2]:
        mine.playlists.create(ada, revised())
        mine.places.set_bookmark(ada, song, 0, "")
    with pytest.raises(UsageError, match="at most 2"):
        mine.playlists.create(ada, revised())
    with pytest.raises(UsageError, match="at most 2"):
        mine.places.set_bookmark(ada, SONGS[3], 0, "")
    for player in ("a", "b", "c"):
        mine.places.set_playing(ada, SONGS[0], player, 60)
    assert len(mine.places.playing(ada)) == 2
    many = tuple(Song(1, f"{number:012x}") for number in range(playlists.SONGS_MOST + 1))
    with pytest.raises(UsageError, match="10,000 songs, found 10,001"):
        mine.playlists.create(ada, revised(many))
    with pytest.raises(UsageError, match="10,000 songs, found 10,001"):
        mine.places.save_queue(ada, many, (0, 0), "p")
    for name in ("", " ", "x" * 201):
        with pytest.raises(UsageError):
            mine.playlists.create(ada, revised(name=name))


def test_a_playlist_keeps_its_order_and_is_its_owners_to_change(people: People, hand: Hand, ada: int, eve: int) -> None:
    lists = people.personal.playlists
    number = lists.create(ada, revised(SONGS[::-1]))
    found = lists.one(ada, number)
    assert found is not None
    made, songs = found
    assert (songs, made.song_count, made.first, made.duration_ms, made.owner) == (SONGS[::-1], 8, SONGS[-1], 8000, "Ada")
    assert lists.one(eve, number) is None
    assert lists.shown_to(eve) == []
    hand.move(minutes=1)
    assert lists.revise(ada, number, revised(SONGS[:2], made.revision, "Open", public=True))
    assert not lists.revise(ada, number, revised(SONGS, made.revision)), "another change came first"
    [shown] = lists.shown_to(eve)
    assert (shown.name, shown.owner, shown.song_count, shown.changed - shown.created) == ("Open", "Ada", 2, timedelta(minutes=1))
    assert not lists.revise(eve, number, revised(SONGS, shown.revision)), "it is another's"
    assert not lists.remove(eve, number)
    own = lists.create(eve, revised(()))
    assert [each.number for each in lists.shown_to(eve)] == [own, number], "own ones first"
    assert lists.remove(ada, number)
    assert lists.one(ada, number) is None


def test_of_two_changes_at_once_one_is_told_to_look_again(opened: Callable[[], People]) -> None:
    both = opened(), opened()
    ada = account(both[0], "Ada")
    number = both[0].personal.playlists.create(ada, revised(()))
    barrier = threading.Barrier(2)

    def add(people: People, song: Song) -> None:
        barrier.wait()
        done = False
        while not done:
            found = people.personal.playlists.one(ada, number)
            assert found is not None
            done = people.personal.playlists.revise(ada, number, revised((*found[1], song), found[0].revision))

    threads = [threading.Thread(target=add, args=(people, song)) for people, song in zip(both, SONGS, strict=False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = both[0].personal.playlists.one(ada, number)
    assert found is not None
    assert set(found[1]) == set(SONGS[:2])


def test_a_queue_goes_from_player_to_player(people: People, ada: int, eve: int) -> None:
    kept = people.personal.places
    assert kept.queue(ada) is None
    kept.save_queue(ada, SONGS, (3, 1234), "phone")
    kept.save_queue(ada, SONGS[::-1], (2, 99), "desk" * 100)
    queue = kept.queue(ada)
    assert queue is not None
    assert (queue.songs, queue.current, queue.position_ms, len(queue.changed_by)) == (SONGS[::-1], 2, 99, 64)
    assert kept.queue(eve) is None
    kept.save_queue(ada, (), (0, 0), "desk")
    assert kept.queue(ada) is None


def test_bookmarks_and_what_plays_now(people: People, hand: Hand, ada: int, eve: int) -> None:
    kept = people.personal.places
    kept.set_bookmark(ada, SONGS[0], 10, "here")
    hand.move(minutes=1)
    kept.set_bookmark(ada, SONGS[1], 20, "")
    kept.set_bookmark(ada, SONGS[0], 30, "there")
    found = kept.bookmarks(ada)
    assert {(each.song, each.position_ms, each.comment) for each in found} == {(SONGS[0], 30, "there"), (SONGS[1], 20, "")}
    assert max(each.changed - each.created for each in found) == timedelta(minutes=1)
    kept.remove_bookmark(eve, SONGS[0])
    kept.remove_bookmark(ada, SONGS[0])
    assert [each.song for each in kept.bookmarks(ada)] == [SONGS[1]]
    kept.set_playing(ada, SONGS[0], "phone", 60)
    kept.set_playing(ada, SONGS[1], "phone", 60)
    kept.set_playing(ada, SONGS[2], "desk", 600)
    assert {(each.player, each.song) for each in kept.playing(ada)} == {("phone", SONGS[1]), ("desk", SONGS[2])}
    assert kept.playing(eve) == []
    hand.move(minutes=1)
    assert [each.player for each in kept.playing(ada)] == ["desk"]


def heard(hand: Hand, *songs: Song, recording: str = "", ago: timedelta = timedelta()) -> list[Scrobble]:
    return [Scrobble(song, recording or f"recording-{song.path}", hand.now() - ago) for song in songs]


def rows(people: People, table: str) -> list[Any]:
    with people.personal.marks._desk.reading() as connection:
        return list(connection.execute(metadata.tables[table].select()).all())


def test_a_listen_counts_once_and_who_it_was_is_forgotten(people: People, hand: Hand, ada: int, eve: int) -> None:
    kept = people.personal.listening
    mine = Hearer(ada, 30)
    assert kept.add(mine, heard(hand, *SONGS[:3]), "opensubsonic") == 3
    assert kept.add(mine, heard(hand, *SONGS[:3]), "opensubsonic") == 0, "a player that sends again after a lost answer"
    assert kept.add(Hearer(eve, 30), heard(hand, SONGS[0]), "site") == 1
    hand.move(days=1)
    assert kept.add(mine, heard(hand, SONGS[0]), "opensubsonic") == 1
    plays = kept.plays(mine, NAMES)
    assert {song: each.count for song, each in plays.items()} == {NAMES[0]: 2, NAMES[1]: 1, NAMES[2]: 1}
    assert {album: each.count for album, each in kept.album_plays(mine, [1, 2, 5]).items()} == {1: 2, 2: 1}
    assert plays[NAMES[0]].last == hand.now()
    assert kept.recent(mine, Part(9))[0] == kept.frequent(mine, Part(9))[0] == SONGS[0].album
    assert kept.recent(mine, Part(9, 0, {SONGS[0].album})) == sorted(song.album for song in SONGS[1:3])
    before = rows(people, "people_listen")
    hand.move(days=29)
    assert {song: each.count for song, each in kept.plays(mine, NAMES).items()} == {NAMES[0]: 2, NAMES[1]: 1, NAMES[2]: 1}
    hand.move(seconds=1)
    assert kept.plays(mine, NAMES).keys() == {NAMES[0]}, "what is read ends to the second"
    assert kept.expire(30) == 4
    assert [row.account for row in rows(people, "people_scrobble")] == [ada]
    assert kept.expire(0) == 1
    assert rows(people, "people_scrobble") == []
    assert rows(people, "people_listen") == before, "counts stay"
    assert sum(row.listens for row in before) == 5
    assert "account" not in metadata.tables["people_listen"].c


def test_whose_days_are_over_goes_with_the_next_listen_of_anyone(people: People, hand: Hand, ada: int, eve: int) -> None:
    kept = people.personal.listening
    kept.add(Hearer(ada, 7), heard(hand, *SONGS), "opensubsonic")
    people.personal.places.set_playing(ada, SONGS[0], "phone", 60)
    hand.move(days=7, hours=2)
    kept.add(Hearer(eve, 7), heard(hand, SONGS[0]), "opensubsonic")
    assert {row.account for name in ("people_scrobble", "people_pace") for row in rows(people, name)} == {eve}
    assert rows(people, "people_playing") == []


def test_none_is_kept_where_no_days_are(people: People, hand: Hand, ada: int) -> None:
    kept = people.personal.listening
    assert kept.add(Hearer(ada, 0), heard(hand, *SONGS), "opensubsonic") == len(SONGS)
    assert rows(people, "people_scrobble") == []
    assert kept.plays(Hearer(ada, 0), NAMES) == {}
    assert kept.recent(Hearer(ada, 0), Part(9)) == kept.frequent(Hearer(ada, 0), Part(9)) == []
    assert sum(row.listens for row in rows(people, "people_listen")) == len(SONGS)
    assert sum(row.listeners for row in rows(people, "people_listen")) == 0, "nobody knows how many they were"


def test_odd_times_and_too_many_listens_do_not_count(people: People, hand: Hand, ada: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, mine = people.personal.listening, Hearer(ada, 30)
    assert kept.add(mine, heard(hand, SONGS[0], ago=timedelta(days=20_000)), "x") == 0
    assert kept.add(mine, heard(hand, SONGS[0], ago=-timedelta(days=400)), "x") == 1
    assert kept.plays(mine, NAMES)[NAMES[0]].last == hand.now(), "the future is now"
    monkeypatch.setattr(listening, "SCROBBLES_A_DAY_MOST", 5)
    assert kept.add(mine, heard(hand, *SONGS[1:]), "x") == 4
    assert kept.add(mine, heard(hand, *SONGS[6:]), "x") == 0
    hand.move(days=1)
    monkeypatch.setattr(listening, "SCROBBLES_KEPT_MOST", 4)
    assert kept.add(mine, heard(hand, *SONGS[:2]), "x") == 2
    assert len(rows(people, "people_scrobble")) >= 4
    assert min(row.listeners for row in rows(people, "people_listen") if row.day == hand.now().timestamp() // 86_400) == 0


def counted(people: People, hand: Hand, *numbers: int, days: int = 30, song: Song = SONGS[0]) -> None:
    for number in numbers:
        people.personal.listening.add(Hearer(number, days), heard(hand, song, recording="r"), "opensubsonic")


def test_what_few_heard_is_told_to_nobody(people: People, hand: Hand) -> None:
    everyone = [account(people, f"listener {number}") for number in range(5)]
    kept = people.personal.listening
    counted(people, hand, *everyone[:4])
    assert kept.heard(5) == []
    assert [(each.recording, each.listens, each.listeners) for each in kept.heard(4)] == [("r", 4, 4)]
    hand.move(days=3)
    counted(people, hand, everyone[0])
    counted(people, hand, everyone[1], song=SONGS[1])
    assert kept.heard(5) == [], "another copy of it is the same recording, and the same listener"
    counted(people, hand, everyone[4])
    assert [(each.recording, each.listens, each.listeners) for each in kept.heard(5)] == [("r", 7, 5)]


@pytest.mark.parametrize(("days", "step"), [(30, 31), (30, 16), (10, 11), (3, 4), (1, 2)])
def test_one_listener_who_comes_back_is_never_taken_for_several(people: People, hand: Hand, ada: int, days: int, step: int) -> None:
    for _ in range(12):
        counted(people, hand, ada, days=days)
        hand.move(days=step)
    assert people.personal.listening.heard(2) == []


def test_a_change_of_the_days_makes_nobody_several(people: People, hand: Hand, ada: int, eve: int) -> None:
    for days in (30, 5, 30, 30, 0, 30, 5, 30, 30, 30):
        counted(people, hand, ada, days=days)
        people.personal.listening.expire(days)
        hand.move(days=6)
    assert people.personal.listening.heard(2) == []
    counted(people, hand, eve)
    assert [each.listens for each in people.personal.listening.heard(2)] == [11]


def test_late_listens_count_no_listener(people: People, hand: Hand, ada: int) -> None:
    for number in range(8):
        late = heard(hand, SONGS[0], recording="r", ago=timedelta(days=5 * (number % 5)))
        people.personal.listening.add(Hearer(ada, 30), late, "opensubsonic")
        hand.move(days=9)
    assert people.personal.listening.heard(2) == []


def test_what_is_personal_goes_with_its_account(people: People, hand: Hand, ada: int, eve: int) -> None:
    for number in (ada, eve):
        people.personal.marks.star(number, [ALBUM])
        people.personal.playlists.create(number, revised())
        people.personal.places.save_queue(number, SONGS, (0, 0), "phone")
        people.personal.places.set_bookmark(number, SONGS[0], 1, "")
        people.personal.places.set_playing(number, SONGS[0], "phone", 60)
        people.personal.listening.add(Hearer(number, 30), heard(hand, *SONGS), "opensubsonic")
    owned = [name for name, table in metadata.tables.items() if "account" in table.c]
    assert len(owned) >= 10
    people.personal.marks._desk.change(lambda connection: connection.execute(accounts.delete().where(accounts.c.number == ada)))
    assert {row.account for name in owned for row in rows(people, name)} == {eve}
    assert sum(row.listens for row in rows(people, "people_listen")) == 2 * len(SONGS)
    with pytest.raises(UsageError, match="no such account"):
        people.personal.marks.star(ada, [ALBUM])


def test_tables_of_version_1_are_brought_to_this_one(opened: Callable[[], People], address: str) -> None:
    ada = account(opened(), "Ada")
    engine = open_engine(address)
    new = [table.name for table in vars(tables).values() if isinstance(table, Table)]
    assert len(new) == 9
    with writing(engine) as connection:
        for name in new:
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(update(version).values(version=1))
    people = opened()
    assert [each.number for each in people.all()] == [ada]
    people.personal.marks.star(ada, [ALBUM])
    with engine.connect() as connection:
        assert connection.execute(select(version.c.version)).scalar_one() == VERSION
    engine.dispose()
