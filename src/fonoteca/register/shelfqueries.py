"""What players ask of the shelf, as statements. A page is chosen from one index, and its rows are read after that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, select

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


def keys_of_objects(object_ids: Collection[str]) -> Select[Any]:
    """Select the keys of objects."""
    return select(object_.c.id).where(object_.c.object_id.in_(object_ids))


def albums_in(order: Order, page: Page) -> Select[Any]:
    """Select a page of the keys of albums."""
    return _page(select(album.c.object_key).order_by(*_ORDERS[order]), page)


def albums_of_years(first: int, last: int, page: Page) -> Select[Any]:
    """Select a page of the keys of albums of some years, from the first to the last, which may be the earlier one."""
    years = album.c.year.between(min(first, last), max(first, last))
    order = (album.c.year, album.c.object_key) if first <= last else (album.c.year.desc(), album.c.object_key.desc())
    return _page(select(album.c.object_key).where(years).order_by(*order), page)


def albums_of_genre(genre: str, page: Page) -> Select[Any]:
    """Select a page of the keys of albums with a genre."""
    query = (
        select(album_genre.c.object_key).where(album_genre.c.genre == genre).order_by(album_genre.c.genre, album_genre.c.object_key)
    )
    return _page(query, page, album_genre.c.object_key)


def albums_by(artist_key: int, page: Page) -> Select[Any]:
    """Select a page of the keys of an artist's own albums."""
    return _page(select(album.c.object_key).where(album.c.artist_key == artist_key).order_by(album.c.object_key), page)


def albums_with(artist_key: int, page: Page) -> Select[Any]:
    """Select a page of the keys of albums on which an artist plays."""
    query = select(album_credit.c.object_key).where(album_credit.c.artist_key == artist_key)
    return _page(query.order_by(album_credit.c.artist_key, album_credit.c.object_key), page, album_credit.c.object_key)


def albums_after_key(album_key: int, page: Page) -> Select[Any]:
    """Select the keys of the albums that come next in an order that means nothing."""
    return _page(select(album.c.object_key).where(album.c.album_key >= album_key).order_by(album.c.album_key), page)


def albums_by_title(prefix: str, page: Page) -> Select[Any]:
    """Select a page of the keys of albums whose place in order begins so."""
    found = and_(album.c.sort_title >= prefix, album.c.sort_title < _after(prefix))
    return _page(select(album.c.object_key).where(found).order_by(album.c.sort_title, album.c.object_key), page)


def albums_at(album_keys: Collection[int]) -> Select[Any]:
    """Select albums by their natural keys."""
    return select(*_ALBUM_COLUMNS).join(object_, object_.c.id == album.c.object_key).where(album.c.album_key.in_(album_keys))


def albums(object_keys: Collection[int]) -> Select[Any]:
    """Select albums by the keys of their objects."""
    return select(*_ALBUM_COLUMNS).join(object_, object_.c.id == album.c.object_key).where(album.c.object_key.in_(object_keys))


def artists(page: Page, prefix: str = "") -> Select[Any]:
    """Select a page of those who have albums, in order: key, name, number of albums."""
    query = select(
        album.c.artist_key, func.min(album.c.artist).label("name"), func.count().label("album_count"), album.c.sort_artist
    )
    query = query.group_by(album.c.sort_artist, album.c.artist_key).order_by(album.c.sort_artist, album.c.artist_key)
    if prefix:
        query = query.where(album.c.sort_artist >= prefix, album.c.sort_artist < _after(prefix))
    return _page(query, page)


def artist_names(artist_keys: Collection[int]) -> Select[Any]:
    """Select the names of artists who play on albums, and of how many."""
    query = select(album_credit.c.artist_key, func.min(album_credit.c.name).label("name"), func.count().label("album_count"))
    return query.where(album_credit.c.artist_key.in_(artist_keys)).group_by(album_credit.c.artist_key)


def owner_names(artist_keys: Collection[int]) -> Select[Any]:
    """Select the names of artists who have albums, and how many."""
    query = select(album.c.artist_key, func.min(album.c.artist).label("name"), func.count().label("album_count"))
    return query.where(album.c.artist_key.in_(artist_keys)).group_by(album.c.artist_key)


def genres() -> Select[Any]:
    """Select all genres with the number of their songs and albums."""
    counts = (func.sum(album_genre.c.song_count).label("songs"), func.count().label("albums"))
    return select(album_genre.c.genre, *counts).group_by(album_genre.c.genre).order_by(album_genre.c.genre)


def song_counts(hidden: Collection[int]) -> Select[Any]:
    """Select how many songs the albums of each run of keys have, in order of key."""
    run = album.c.object_key.op("/")(KEYS_OF_RUN)
    columns: tuple[Any, ...] = (run.label("run"), func.sum(album.c.song_count).label("songs"))
    query = select(*columns).group_by(run).order_by(run)
    return query.where(not_(album.c.object_key.in_(hidden))) if hidden else query


def albums_of_songs(first_key: int, page: Page) -> Select[Any]:
    """Select the keys of the albums among whose songs a page lies, counted from an album's key, and how many come before each."""
    query = select(album.c.object_key, album.c.song_count).where(album.c.object_key >= first_key)
    # So many albums have so many songs, as each has one at least.
    some = query.order_by(album.c.object_key).limit(page.offset + page.limit)
    if page.hidden:
        some = some.where(not_(album.c.object_key.in_(page.hidden)))
    found = some.subquery()
    return _spread(select(found), found.c.object_key, found.c.song_count, replace(page, hidden=()))


def albums_of_genre_songs(genre: str, page: Page) -> Select[Any]:
    """Select the keys of the albums among whose songs a page of a genre's songs lies, and how many come before each."""
    table = album_genre.c
    return _spread(select(table.object_key, table.song_count).where(table.genre == genre), table.object_key, table.song_count, page)


def songs(object_keys: Collection[int]) -> Select[Any]:
    """Select the files of heads of objects, in order of object and position, without what cutting needs."""
    return (
        select(
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
        .select_from(object_)
        .join(version, and_(version.c.object_key == object_.c.id, version.c.version == object_.c.head_version))
        .join(file, file.c.version_key == version.c.id)
        .join(member_file, member_file.c.id == file.c.member_key)
        .where(object_.c.id.in_(object_keys))
    )


def places_of_recordings(recording_ids: Collection[str]) -> Select[Any]:
    """Select where recordings lie: the keys of objects, and paths."""
    return (
        select(holding.c.recording_id, version.c.object_key, file.c.logical_path)
        .join(file, file.c.id == holding.c.file_key)
        .join(version, version.c.id == file.c.version_key)
        .where(holding.c.recording_id.in_(recording_ids))
    )


def counts() -> Select[Any]:
    """Select how many albums and songs there are."""
    columns: tuple[Any, ...] = (func.count().label("albums"), func.sum(album.c.song_count).label("songs"))
    return select(*columns)


def newest() -> Select[Any]:
    """Select when the newest album was made."""
    return select(album.c.created_at).order_by(album.c.created_at.desc()).limit(1)


def _page(query: Select[Any], page: Page, key: ColumnElement[Any] = album.c.object_key) -> Select[Any]:
    if page.hidden:
        query = query.where(not_(key.in_(page.hidden)))
    paged: Select[Any] = query.limit(page.limit).offset(page.offset)
    return paged


def _spread(query: Select[Any], key: ColumnElement[Any], count: ColumnElement[Any], page: Page) -> Select[Any]:
    """Select the rows of a query among whose songs a page lies."""
    if page.hidden:
        query = query.where(not_(key.in_(page.hidden)))
    total = func.sum(count).over(order_by=key).label("total")
    inner = query.add_columns(total).subquery()
    within = and_(inner.c.total > page.offset, inner.c.total - inner.c.song_count < page.offset + page.limit)
    before = (inner.c.total - inner.c.song_count).label("before")
    return select(inner.c.object_key, before).where(within).order_by(inner.c.object_key)


def _after(prefix: str) -> str:
    """Return the least text that no text with this prefix reaches, or comes near enough for what people type."""
    return prefix + "\U0010ffff"


Choice = Callable[[Page], Select[Any]]
"""What chooses a page of albums."""
