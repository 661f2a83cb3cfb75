"""The register as players know it: albums, their artists, genres and songs, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from fonoteca.model.audio import AudioProbe, Tags
from fonoteca.model.ids import ItemKey, LogicalPath, ObjectId, Sha256
from fonoteca.register import shelfqueries as queries
from fonoteca.register.bulk import batched
from fonoteca.register.questions import Question, asked
from fonoteca.register.rows import probe_of, tags_of
from fonoteca.register.shelfqueries import Order, Page
from fonoteca.register.shelving import genres_of

KEYS_AT_ONCE = 2000
"""Of one question."""


@dataclass(frozen=True, slots=True)
class AlbumRow:
    """An album: an audio object that may be shared. object_key: this register's own. album_key, artist_key: the same in every
    register of the store. genre: that of most of its files, "" for none. created_at: when the object's head was made.
    """

    object_key: int
    album_key: int
    artist_key: int
    object_id: ObjectId
    item: ItemKey
    title: str
    sort_title: str
    artist: str
    genre: str
    year: int | None
    created_at: datetime
    song_count: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class SongRow:
    """An audio file of an album."""

    album: AlbumRow
    position: int
    logical_path: LogicalPath
    media_type: str
    codec: str
    duration_ms: int
    title: str
    artist: str
    year: int | None
    probe: AudioProbe | None
    tags: Tags | None
    file_bytes: int
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class ArtistRow:
    """An artist. album_count: of own albums, or of those with a song by them. sort_name: the place in order."""

    artist_key: int
    name: str
    album_count: int
    sort_name: str = ""


@dataclass(frozen=True, slots=True)
class GenreRow:
    """A genre."""

    name: str
    song_count: int
    album_count: int


class Shelf:
    """What players browse. Made by `Register.shelf`; every list is read a page at a time, from an index."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._reading = reading

    def keys_of(self, object_ids: Collection[str]) -> frozenset[int]:
        """Return the keys of objects as this register has them, to be hidden from pages."""
        found: set[int] = set()
        for some in batched(sorted(object_ids), KEYS_AT_ONCE):
            found |= {row.id for row in self._rows(queries.keys_of_objects(some))}
        return frozenset(found)

    def albums(self, order: Order, page: Page) -> list[AlbumRow]:
        """Return a page of all albums."""
        return self.chosen(queries.albums_in(order, page))

    def albums_of_years(self, first: int, last: int, page: Page) -> list[AlbumRow]:
        """Return a page of the albums from one year to another, latest first where the first is the later one."""
        return self.chosen(queries.albums_of_years(first, last, page))

    def albums_of_genre(self, genre: str, page: Page) -> list[AlbumRow]:
        """Return a page of the albums with a genre."""
        return self.chosen(queries.albums_of_genre(genre, page))

    def albums_by(self, artist_key: int, page: Page) -> list[AlbumRow]:
        """Return a page of an artist's own albums."""
        return self.chosen(queries.albums_by(artist_key, page))

    def albums_with(self, artist_key: int, page: Page) -> list[AlbumRow]:
        """Return a page of the albums that have a song by an artist."""
        return self.chosen(queries.albums_with(artist_key, page))

    def albums_from(self, album_key: int, page: Page) -> list[AlbumRow]:
        """Return the albums that come next after a key in an order that means nothing: neighbours by chance."""
        return self.chosen(queries.albums_after_key(album_key, page))

    def albums_by_title(self, prefix: str, page: Page) -> list[AlbumRow]:
        """Return a page of the albums whose `sort_name` begins so."""
        return self.chosen(queries.albums_by_title(prefix, page))

    def albums_titled(self, titles: Collection[str], page: Page) -> list[AlbumRow]:
        """Return the albums whose `sort_name` is one of these, in order of it, so many at most. titles: KEYS_AT_ONCE at most."""
        return self.chosen(queries.albums_titled(titles, page))

    def albums_at(self, album_keys: Collection[int]) -> list[AlbumRow]:
        """Return the albums that have these keys, without order."""
        some = batched(sorted(set(album_keys)), KEYS_AT_ONCE)
        return [_album(row) for keys in some for row in self._rows(queries.albums_at(keys))]

    def chosen(self, question: Question) -> list[AlbumRow]:
        """Return the albums whose keys a question selects, in its order."""
        with self._reading() as connection:
            keys = asked(connection, question).scalars().all()
            return _in_order(connection, keys)

    def artists(self, page: Page, prefix: str = "") -> list[ArtistRow]:
        """Return a page of those who have albums, in order of `sort_name`, those whose own begins so."""
        rows = self._rows(queries.artists(page, prefix))
        return [ArtistRow(key, name, count, place) for key, name, count, place in map(tuple, rows)]

    def artists_at(self, artist_keys: Collection[int]) -> Mapping[int, ArtistRow]:
        """Return artists by their keys: with the number of their own albums, or where they have none of those they are on."""
        found: dict[int, ArtistRow] = {}
        for keys in batched(sorted(set(artist_keys)), KEYS_AT_ONCE):
            for question in (queries.artist_names(keys), queries.owner_names(keys)):
                found |= {row.artist_key: ArtistRow(row.artist_key, row.name, row.album_count) for row in self._rows(question)}
        return found

    def genres(self) -> list[GenreRow]:
        """Return all genres, in order of name."""
        return [GenreRow(row.genre, int(row.songs), row.albums) for row in self._rows(queries.genres())]

    def song_page(self, page: Page) -> list[SongRow]:
        """Return a page of all songs, in order of recording: new ones come last."""
        first_key, before = 0, 0
        for row in self._rows(queries.song_counts(page.hidden)):
            if before + row.songs > page.offset:
                first_key = row.run * queries.KEYS_OF_RUN
                break
            before += int(row.songs)
        else:
            return []
        rest = replace(page, offset=page.offset - before)
        return self._songs_within(queries.albums_of_songs(first_key, rest), rest, lambda song: True)

    def songs_of_genre(self, genre: str, page: Page) -> list[SongRow]:
        """Return a page of the songs with a genre, in order of recording."""
        return self._songs_within(queries.albums_of_genre_songs(genre, page), page, lambda song: genre in genres_of(song.tags))

    def songs(self, albums: Iterable[AlbumRow], wanted: Callable[[AlbumRow, str], bool] | None = None) -> list[SongRow]:
        """Return the songs of albums, in the order of these and of their metadata.json. wanted: which, by album and path."""
        with self._reading() as connection:
            return _songs(connection, list(albums), wanted)

    def recordings_of(self, songs: Collection[SongRow]) -> list[str]:
        """Return which recording each song holds, "" for one that holds none any more."""
        found: dict[tuple[int, str], str] = {}
        for keys in batched(sorted({song.album.object_key for song in songs}), KEYS_AT_ONCE):
            rows = self._rows(queries.recordings_of_albums(keys))
            found |= {(row.object_key, row.logical_path): row.recording_id for row in rows}
        return [found.get((song.album.object_key, song.logical_path), "") for song in songs]

    def songs_of_recordings(self, recording_ids: Sequence[str]) -> list[SongRow]:
        """Return the songs that hold recordings, in the order of these."""
        if not recording_ids:
            return []
        with self._reading() as connection:
            rows = asked(connection, queries.songs_of_recordings(recording_ids)).all()
            owners = {album.object_key: album for album in _in_order(connection, sorted({row.object_key for row in rows}))}
        order = {recording: place for place, recording in enumerate(recording_ids)}
        ordered = sorted(rows, key=lambda row: (order[row.recording_id], row.object_key, row.logical_path))
        return [_song(owners[row.object_key], row) for row in ordered if row.object_key in owners]

    def counts(self) -> tuple[int, int]:
        """Return how many albums and songs there are."""
        [row] = self._rows(queries.counts())
        return row.albums, int(row.songs or 0)

    def changed_at(self) -> datetime | None:
        """Return when the newest album was made, None where there is none."""
        rows = self._rows(queries.newest())
        return rows[0].created_at if rows else None

    def _songs_within(self, question: Question, page: Page, wanted: Callable[[SongRow], bool]) -> list[SongRow]:
        with self._reading() as connection:
            places = asked(connection, question).all()
            found = _songs(connection, _in_order(connection, [row.object_key for row in places]))
        if not places:
            return []
        skip = page.offset - int(places[0].before)
        return [song for song in found if wanted(song)][skip : skip + page.limit]

    def _rows(self, question: Question) -> Sequence[Row[Any]]:
        with self._reading() as connection:
            return asked(connection, question).all()


def _in_order(connection: Connection, keys: Sequence[int]) -> list[AlbumRow]:
    """Return albums in the order of the keys of their objects."""
    found: dict[int, AlbumRow] = {}
    for some in batched(keys, KEYS_AT_ONCE):
        found |= {row.object_key: _album(row) for row in asked(connection, queries.albums(some))}
    return [found[key] for key in keys if key in found]


def _songs(
    connection: Connection, albums: Sequence[AlbumRow], wanted: Callable[[AlbumRow, str], bool] | None = None
) -> list[SongRow]:
    """Return the songs of albums, in their order."""
    owners = {album.object_key: album for album in albums}
    rows = [row for some in batched(list(owners), KEYS_AT_ONCE) for row in _song_rows(connection, some, owners, wanted)]
    places = {key: place for place, key in enumerate(owners)}
    rows.sort(key=lambda row: (places[row.object_key], row.position))
    return [_song(owners[row.object_key], row) for row in rows]


def _song_rows(
    connection: Connection,
    keys: Sequence[int],
    owners: Mapping[int, AlbumRow],
    wanted: Callable[[AlbumRow, str], bool] | None,
) -> Iterator[Row[Any]]:
    """Yield the rows of songs of albums. Where some alone are wanted, the others' names are all that is read of them."""
    if wanted is None:
        yield from asked(connection, queries.songs(keys)).all()
        return
    named = map(tuple, asked(connection, queries.song_names(keys)).all())
    chosen = [file_key for object_key, file_key, path in named if wanted(owners[object_key], path)]
    for some in batched(chosen, KEYS_AT_ONCE):
        yield from asked(connection, queries.songs_at(some)).all()


def _album(row: Row[Any]) -> AlbumRow:
    return AlbumRow(
        object_key=row.object_key,
        album_key=row.album_key,
        artist_key=row.artist_key,
        object_id=ObjectId(row.object_id),
        item=ItemKey(row.item_key),
        title=row.title,
        sort_title=row.sort_title,
        artist=row.artist,
        genre=row.genre,
        year=row.year,
        created_at=row.created_at,
        song_count=row.song_count,
        duration_ms=row.duration_ms,
    )


def _song(owner: AlbumRow, row: Row[Any]) -> SongRow:
    return SongRow(
        album=owner,
        position=row.position,
        logical_path=LogicalPath(row.logical_path),
        media_type=row.media_type,
        codec=row.codec,
        duration_ms=row.duration_ms,
        title=row.title,
        artist=row.artist,
        year=row.year,
        probe=probe_of(row.probe),
        tags=tags_of(row.tags),
        file_bytes=row.file_bytes,
        sha256=row.sha256,
    )
