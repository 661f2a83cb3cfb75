"""What players ask of the shelf, as questions. A page is chosen from one index, and its rows are read after that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Integer, Select, and_, bindparam, func, not_, select

from fonoteca.register.questions import Question
from fonoteca.register.schema import album, album_credit, album_genre, file, holding, member_file, object_, version

KEYS_OF_RUN = 1024
"""Objects whose songs are counted together, on the way to a page far into all songs."""


class Order(StrEnum):
    """The orders in which albums are listed."""

    NAME = "name"
    ARTIST = "artist"
    NEWEST = "newest"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. hidden: keys of objects that are left out of it."""

    limit: int
    offset: int = 0
    hidden: Collection[int] = ()


_ORDERS: Mapping[Order, tuple[ColumnElement[Any], ...]] = {
    Order.NAME: (album.c.sort_title, album.c.object_key),
    Order.ARTIST: (album.c.sort_artist, album.c.artist_key, album.c.artist, album.c.sort_title, album.c.object_key),
    Order.NEWEST: (album.c.created_at.desc(), album.c.object_key.desc()),
    Order.RECORDED: (album.c.object_key,),
}

_ALBUM_COLUMNS = (
    *album.c,
    object_.c.object_id,
    object_.c.item_key,
    object_.c.title,
    object_.c.duration_ms,
)


class _Paged:
    """A statement that selects a page: made once, as it is asked with nothing hidden, and with something."""

    def __init__(self, query: Select[Any], key: ColumnElement[Any] = album.c.object_key) -> None:
        self._all = _cut(query)
        self._rest = _cut(query.where(not_(key.in_(bindparam("hidden", expanding=True)))))

    def __call__(self, page: Page, **values: object) -> Question:
        """Return the question for a page."""
        values |= {"limit": page.limit, "offset": page.offset}
        return Question(self._rest, {**values, "hidden": list(page.hidden)}) if page.hidden else Question(self._all, values)


def _cut(query: Select[Any]) -> Select[Any]:
    cut: Select[Any] = query.limit(bindparam("limit", type_=Integer)).offset(bindparam("offset", type_=Integer))
    return cut


def keys_of_objects(object_ids: Collection[str]) -> Question:
    """Select the keys of objects."""
    return Question(_KEYS_OF_OBJECTS, {"keys": list(object_ids)})


def albums_in(order: Order, page: Page) -> Question:
    """Select a page of the keys of albums."""
    return _ALBUMS_IN[order](page)


def albums_of_years(first: int, last: int, page: Page) -> Question:
    """Select a page of the keys of albums of some years, from the first to the last, which may be the earlier one."""
    return _ALBUMS_OF_YEARS[first <= last](page, least=min(first, last), most=max(first, last))


def albums_of_genre(genre: str, page: Page) -> Question:
    """Select a page of the keys of albums with a genre."""
    return _ALBUMS_OF_GENRE(page, genre=genre)


def albums_by(artist_key: int, page: Page) -> Question:
    """Select a page of the keys of an artist's own albums."""
    return _ALBUMS_BY(page, key=artist_key)


def albums_with(artist_key: int, page: Page) -> Question:
    """Select a page of the keys of albums on which an artist plays."""
    return _ALBUMS_WITH(page, key=artist_key)


def albums_after_key(album_key: int, page: Page) -> Question:
    """Select the keys of the albums that come next in an order that means nothing."""
    return _ALBUMS_AFTER(page, key=album_key)


def albums_by_title(prefix: str, page: Page) -> Question:
    """Select a page of the keys of albums whose place in order begins so."""
    return _ALBUMS_BY_TITLE(page, first=prefix, after=_after(prefix))


def albums_titled(titles: Collection[str], page: Page) -> Question:
    """Select the keys of albums whose places in order are these, so many at most."""
    return _ALBUMS_TITLED(page, titles=list(titles))


def albums_at(album_keys: Collection[int]) -> Question:
    """Select albums by their natural keys."""
    return Question(_ALBUMS_AT, {"keys": list(album_keys)})


def albums(object_keys: Collection[int]) -> Question:
    """Select albums by the keys of their objects."""
    return Question(_ALBUMS, {"keys": list(object_keys)})


def artists(page: Page, prefix: str = "") -> Question:
    """Select a page of those who have albums, in order: key, name, number of albums."""
    return _ARTISTS_FROM(page, first=prefix, after=_after(prefix)) if prefix else _ARTISTS(page)


def artist_names(artist_keys: Collection[int]) -> Question:
    """Select the names of artists who play on albums, and of how many."""
    return Question(_ARTIST_NAMES, {"keys": list(artist_keys)})


def owner_names(artist_keys: Collection[int]) -> Question:
    """Select the names of artists who have albums, and how many."""
    return Question(_OWNER_NAMES, {"keys": list(artist_keys)})


def genres() -> Question:
    """Select all genres with the number of their songs and albums."""
    counts = (func.sum(album_genre.c.song_count).label("songs"), func.count().label("albums"))
    return Question(select(album_genre.c.genre, *counts).group_by(album_genre.c.genre).order_by(album_genre.c.genre), {})


def song_counts(hidden: Collection[int]) -> Question:
    """Select how many songs the albums of each run of keys have, in order of key."""
    run = album.c.object_key.op("/")(KEYS_OF_RUN)
    columns: tuple[Any, ...] = (run.label("run"), func.sum(album.c.song_count).label("songs"))
    query = select(*columns).group_by(run).order_by(run)
    return Question(query.where(not_(album.c.object_key.in_(hidden))) if hidden else query, {})


def albums_of_songs(first_key: int, page: Page) -> Question:
    """Select the keys of the albums among whose songs a page lies, counted from an album's key, and how many come before each."""
    query = select(album.c.object_key, album.c.song_count).where(album.c.object_key >= first_key)
    # So many albums have so many songs, as each has one at least.
    some = query.order_by(album.c.object_key).limit(page.offset + page.limit)
    if page.hidden:
        some = some.where(not_(album.c.object_key.in_(page.hidden)))
    found = some.subquery()
    return _spread(select(found), found.c.object_key, found.c.song_count, replace(page, hidden=()))


def albums_of_genre_songs(genre: str, page: Page) -> Question:
    """Select the keys of the albums among whose songs a page of a genre's songs lies, and how many come before each."""
    table = album_genre.c
    return _spread(select(table.object_key, table.song_count).where(table.genre == genre), table.object_key, table.song_count, page)


def songs(object_keys: Collection[int]) -> Question:
    """Select the files of heads of objects, in no order, without what cutting needs."""
    return Question(_SONGS, {"keys": list(object_keys)})


def song_names(object_keys: Collection[int]) -> Question:
    """Select the keys of files of heads of objects, with the objects' and the paths: all that tells one from another."""
    return Question(_SONG_NAMES, {"keys": list(object_keys)})


def songs_at(file_keys: Collection[int]) -> Question:
    """Select files by their keys, as `songs` does."""
    return Question(_SONGS_AT, {"keys": list(file_keys)})


def songs_of_recordings(recording_ids: Collection[str]) -> Question:
    """Select the files of heads of objects that hold recordings, as `songs` does, and which each holds."""
    return Question(_SONGS_OF_RECORDINGS, {"keys": list(recording_ids)})


def recordings_of_albums(object_keys: Collection[int]) -> Question:
    """Select which recordings the files of heads of objects hold."""
    return Question(_RECORDINGS, {"keys": list(object_keys)})


def counts() -> Question:
    """Select how many albums and songs there are."""
    columns: tuple[Any, ...] = (func.count().label("albums"), func.sum(album.c.song_count).label("songs"))
    return Question(select(*columns), {})


def newest() -> Question:
    """Select when the newest album was made."""
    return Question(select(album.c.created_at).order_by(album.c.created_at.desc()).limit(1), {})


def _spread(query: Select[Any], key: ColumnElement[Any], count: ColumnElement[Any], page: Page) -> Question:
    """Select the rows of a query among whose songs a page lies."""
    if page.hidden:
        query = query.where(not_(key.in_(page.hidden)))
    total = func.sum(count).over(order_by=key).label("total")
    inner = query.add_columns(total).subquery()
    within = and_(inner.c.total > page.offset, inner.c.total - inner.c.song_count < page.offset + page.limit)
    before = (inner.c.total - inner.c.song_count).label("before")
    return Question(select(inner.c.object_key, before).where(within).order_by(inner.c.object_key), {})


def _after(prefix: str) -> str:
    """Return the least text that no text with this prefix reaches, or comes near enough for what people type."""
    return prefix + "\U0010ffff"


# The statements, each made once

_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_KEY: BindParameter[int] = bindparam("key")
_FIRST: BindParameter[str] = bindparam("first")
_AFTER: BindParameter[str] = bindparam("after")

_KEYS_OF_OBJECTS = select(object_.c.id).where(object_.c.object_id.in_(_KEYS))
_ALBUMS_IN = {order: _Paged(select(album.c.object_key).order_by(*columns)) for order, columns in _ORDERS.items()}

_WITHIN_YEARS = select(album.c.object_key).where(album.c.year.between(bindparam("least"), bindparam("most")))
_ALBUMS_OF_YEARS = {
    True: _Paged(_WITHIN_YEARS.order_by(album.c.year, album.c.object_key)),
    False: _Paged(_WITHIN_YEARS.order_by(album.c.year.desc(), album.c.object_key.desc())),
}
_ALBUMS_OF_GENRE = _Paged(
    select(album_genre.c.object_key)
    .where(album_genre.c.genre == bindparam("genre"))
    .order_by(album_genre.c.genre, album_genre.c.object_key),
    album_genre.c.object_key,
)
_ALBUMS_BY = _Paged(select(album.c.object_key).where(album.c.artist_key == _KEY).order_by(album.c.object_key))
_ALBUMS_WITH = _Paged(
    select(album_credit.c.object_key)
    .where(album_credit.c.artist_key == _KEY)
    .order_by(album_credit.c.artist_key, album_credit.c.object_key),
    album_credit.c.object_key,
)
_ALBUMS_AFTER = _Paged(select(album.c.object_key).where(album.c.album_key >= _KEY).order_by(album.c.album_key))

_BY_TITLE = select(album.c.object_key).order_by(album.c.sort_title, album.c.object_key)
_ALBUMS_BY_TITLE = _Paged(_BY_TITLE.where(album.c.sort_title >= _FIRST, album.c.sort_title < _AFTER))
_ALBUMS_TITLED = _Paged(_BY_TITLE.where(album.c.sort_title.in_(bindparam("titles", expanding=True))))

_WHOLE = select(*_ALBUM_COLUMNS).join(object_, object_.c.id == album.c.object_key)
_ALBUMS_AT = _WHOLE.where(album.c.album_key.in_(_KEYS))
_ALBUMS = _WHOLE.where(album.c.object_key.in_(_KEYS))

_PLAYERS = (
    select(album.c.artist_key, func.min(album.c.artist).label("name"), func.count().label("album_count"), album.c.sort_artist)
    .group_by(album.c.sort_artist, album.c.artist_key)
    .order_by(album.c.sort_artist, album.c.artist_key)
)
_ARTISTS = _Paged(_PLAYERS)
_ARTISTS_FROM = _Paged(_PLAYERS.where(album.c.sort_artist >= _FIRST, album.c.sort_artist < _AFTER))
_ARTIST_NAMES = (
    select(album_credit.c.artist_key, func.min(album_credit.c.name).label("name"), func.count().label("album_count"))
    .where(album_credit.c.artist_key.in_(_KEYS))
    .group_by(album_credit.c.artist_key)
)
_OWNER_NAMES = (
    select(album.c.artist_key, func.min(album.c.artist).label("name"), func.count().label("album_count"))
    .where(album.c.artist_key.in_(_KEYS))
    .group_by(album.c.artist_key)
)

_SONG_COLUMNS = (
    version.c.object_key,
    file.c.position,
    file.c.logical_path,
    file.c.media_type,
    file.c.codec,
    file.c.duration_ms,
    file.c.title,
    file.c.artist,
    file.c.year,
    file.c.probe,
    file.c.tags,
    member_file.c.file_bytes,
    member_file.c.sha256,
)
_IS_HEAD = and_(version.c.object_key == object_.c.id, version.c.version == object_.c.head_version)
_SONGS = (
    select(*_SONG_COLUMNS)
    .select_from(object_)
    .join(version, _IS_HEAD)
    .join(file, file.c.version_key == version.c.id)
    .join(member_file, member_file.c.id == file.c.member_key)
    .where(object_.c.id.in_(_KEYS))
)
_SONG_NAMES = (
    select(version.c.object_key, file.c.id, file.c.logical_path)
    .select_from(object_)
    .join(version, _IS_HEAD)
    .join(file, file.c.version_key == version.c.id)
    .where(object_.c.id.in_(_KEYS))
)
_SONGS_AT = (
    select(*_SONG_COLUMNS)
    .select_from(file)
    .join(version, version.c.id == file.c.version_key)
    .join(member_file, member_file.c.id == file.c.member_key)
    .where(file.c.id.in_(_KEYS))
)
_SONGS_OF_RECORDINGS = (
    select(*_SONG_COLUMNS, holding.c.recording_id)
    .select_from(holding)
    .join(file, file.c.id == holding.c.file_key)
    .join(version, version.c.id == file.c.version_key)
    .join(object_, _IS_HEAD)
    .join(member_file, member_file.c.id == file.c.member_key)
    .where(holding.c.recording_id.in_(_KEYS))
)
_RECORDINGS = (
    select(version.c.object_key, file.c.logical_path, holding.c.recording_id)
    .select_from(object_)
    .join(version, _IS_HEAD)
    .join(file, file.c.version_key == version.c.id)
    .join(holding, holding.c.file_key == file.c.id)
    .where(object_.c.id.in_(_KEYS))
)
