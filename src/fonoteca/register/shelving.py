"""Keeping what players browse in step with what is held: an album for each audio object that may be shared and was decoded.

All of it follows from the rows of objects, versions and files, so that a register made anew has the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import TypeVar

from sqlalchemy import Connection, and_, delete, select

from fonoteca.model.audio import Tags
from fonoteca.model.rights import Act, Kind
from fonoteca.register.bulk import batched, insert_rows
from fonoteca.register.naming import name_key, object_key_of, sort_name
from fonoteca.register.rows import storable, tags_of
from fonoteca.register.schema import album, album_credit, album_genre, file, object_, version

VARIOUS, UNKNOWN = "Various Artists", "Unknown Artist"
"""The artist of an album that several made, and of one that names nobody."""

GENRES_MAX = 8
"""Of one file: more are a list of words that somebody collected."""

GENRE_CHARACTERS_MAX = 80

_T = TypeVar("_T", int, str)

_OBJECTS_AT_ONCE = 500
_GENRES_KEPT = 4096
"""Texts whose genres are remembered: few are as many as the songs that have them."""

_GENRE_BREAK = re.compile(r"[;/\x00\n]|, ")

_ALBUM = (
    *("object_key", "album_key", "artist_key", "artist", "sort_title", "sort_artist", "genre", "year"),
    *("created_at", "song_count"),
)


@dataclass(frozen=True, slots=True)
class ShelvedFile:
    """What an album's row takes of one of its files. artist: as the file's own row has it."""

    artist: str
    year: int | None
    tags: Tags | None


@dataclass(frozen=True, slots=True)
class ShelvedObject:
    """What an album's row takes of its object. files: of the head."""

    object_key: int
    object_id: str
    title: str
    artist: str
    created_at: datetime
    files: Sequence[ShelvedFile]


def genres_of(tags: Tags | None) -> tuple[str, ...]:
    """Return the genres that a file names, in its order, none twice."""
    return _genres(tags.genre) if tags is not None and tags.genre else ()


@lru_cache(_GENRES_KEPT)
def _genres(text: str) -> tuple[str, ...]:
    found = (" ".join(storable(part).split())[:GENRE_CHARACTERS_MAX] for part in _GENRE_BREAK.split(text))
    return tuple(dict.fromkeys(filter(None, found)))[:GENRES_MAX]


def album_artist(artist: str, files: Iterable[ShelvedFile]) -> str:
    """Return whose album it is: as the object says, or as all of its files do."""
    if artist:
        return artist
    named = {storable(each.tags.album_artist) if each.tags and each.tags.album_artist else each.artist for each in files} - {""}
    if not named:
        return UNKNOWN
    return min(named) if len({name_key(name) for name in named}) == 1 else VARIOUS


def unshelve(connection: Connection, object_keys: Collection[int]) -> None:
    """Take objects from the shelf."""
    for keys in batched(sorted(object_keys), _OBJECTS_AT_ONCE):
        for table in (album, album_credit, album_genre):
            connection.execute(delete(table).where(table.c.object_key.in_(keys)))


def shelve(connection: Connection, objects: Sequence[ShelvedObject]) -> None:
    """Put objects on the shelf that are not on it."""
    albums, credited, genres = [], [], []
    for each in objects:
        artist = album_artist(each.artist, each.files)
        by_genre = Counter(genre for one in each.files for genre in genres_of(one.tags))
        names: dict[int, tuple[str, int]] = {}
        for one in each.files:
            name = one.artist or artist
            key = name_key(name)
            known, count = names.get(key, (name, 0))
            names[key] = (min(known, name), count + 1)
        years = Counter(one.year for one in each.files if one.year)
        albums.append(
            (
                *(each.object_key, object_key_of(each.object_id), name_key(artist), artist),
                *(sort_name(each.title), sort_name(artist), _most(by_genre) or "", _most(years)),
                *(each.created_at, len(each.files)),
            )
        )
        credited += [(key, each.object_key, name, count) for key, (name, count) in names.items()]
        genres += [(genre, each.object_key, count) for genre, count in by_genre.items()]
    insert_rows(connection, album, _ALBUM, albums)
    insert_rows(connection, album_credit, ("artist_key", "object_key", "name", "song_count"), credited)
    insert_rows(connection, album_genre, ("genre", "object_key", "song_count"), genres)


def _most(counts: Counter[_T]) -> _T | None:
    """Return what is counted most, the least of equals, whatever their order was."""
    return min(counts, key=lambda each: (-counts[each], each)) if counts else None


def shelve_all(connection: Connection) -> None:
    """Put everything on an empty shelf, from the other tables' rows. Cost: a pass over the files of heads."""
    after = 0
    while keys := _audio_after(connection, after):
        shelve(connection, list(_read(connection, keys)))
        after = keys[-1]


def _audio_after(connection: Connection, after: int) -> Sequence[int]:
    """Return the keys of the audio objects that come next."""
    query = select(object_.c.id).where(object_.c.id > after, object_.c.kind == Kind.AUDIO.value)
    return connection.execute(query.order_by(object_.c.id).limit(_OBJECTS_AT_ONCE)).scalars().all()


def _read(connection: Connection, object_keys: Collection[int]) -> Iterator[ShelvedObject]:
    """Yield those of some objects that belong on the shelf, as their rows say."""
    head = and_(version.c.object_key == object_.c.id, version.c.version == object_.c.head_version)
    columns = (object_.c.id, object_.c.object_id, object_.c.title, object_.c.artist.label("owner"), object_.c.head_at)
    query = (
        select(*columns, version.c.acts, file.c.artist, file.c.year, file.c.tags, file.c.probe)
        .join(version, head)
        .join(file, file.c.version_key == version.c.id)
        .where(object_.c.id.in_(object_keys))
        .order_by(object_.c.id)
    )
    for _, some in groupby(connection.execute(query), key=lambda row: row.id):
        rows = list(some)
        first = rows[0]
        if Act.SHARE.value in first.acts.split() and all(row.probe is not None for row in rows):
            files = [ShelvedFile(row.artist, row.year, tags_of(row.tags)) for row in rows]
            yield ShelvedObject(first.id, first.object_id, first.title, first.owner, first.head_at, files)
