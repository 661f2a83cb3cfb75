"""What players browse, without what was withdrawn or is not for who asks now. Nothing is an answer yet: no bytes pass here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from random import Random

from fonoteca.model.ids import ObjectId
from fonoteca.model.withdrawal import Purpose, Tombstone
from fonoteca.people.personal import Song
from fonoteca.register import (
    AlbumRow,
    ArtistRow,
    GenreRow,
    ObjectRow,
    Order,
    Page,
    Shelf,
    SongRow,
    genres_of,
    name_key,
    object_key_of,
)
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.subsonic.ids import Ref, path_digest

HIDDEN_MAX = 20_000
"""Albums that the question itself leaves out, of the 32,766 parameters that SQLite takes. Others leave gaps in pages."""

ALBUMS_OF_ARTIST_MAX = 2_000
SONGS_OF_ALBUM = 6
"""That one album may be expected to give to a list of songs by chance."""

RANDOM_STARTS = 12
"""Places among all albums that one random list is taken from."""

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


class Library:
    """The shelf as one request sees it."""

    def __init__(self, rooms: ServeRooms, chance: Random) -> None:
        self._rooms = rooms
        self.shelf: Shelf = rooms.register.shelf
        self._chance = chance

    @cached_property
    def _masked(self) -> Mapping[ObjectId, Tombstone]:
        return self._rooms.register.withdrawals.masked_for((Purpose.FINDING, Purpose.LISTENING))

    @cached_property
    def _closed(self) -> frozenset[ObjectId]:
        """What does not go out now to where who asks is: a player would stumble over it."""
        return self._rooms.register.terms.closed(self._rooms.clock.now(), self._rooms.place)

    @cached_property
    def _gone(self) -> frozenset[ObjectId]:
        return self._closed.union(object_id for object_id, tombstone in self._masked.items() if tombstone.whole)

    @cached_property
    def hidden_albums(self) -> frozenset[int]:
        """The keys of albums that do not go out, as lists of what somebody keeps name them."""
        return frozenset(map(object_key_of, self._gone))

    @cached_property
    def _hidden(self) -> frozenset[int]:
        return self.shelf.keys_of(list(islice(self._gone, HIDDEN_MAX)))

    def page(self, limit: int, offset: int = 0) -> Page:
        """Return a part of a list, without what does not go out."""
        return Page(limit, offset, self._hidden)

    def shown(self, albums: Iterable[AlbumRow]) -> list[AlbumRow]:
        """Return the albums that go out."""
        return [album for album in albums if not self._means(album.object_id)]

    def heard(self, songs: Iterable[SongRow]) -> list[SongRow]:
        """Return the songs that go out."""
        return [song for song in songs if not self._means(song.album.object_id, song.sha256)]

    def _means(self, object_id: ObjectId, sha256: str = "") -> bool:
        if object_id in self._closed:
            return True
        tombstone = self._masked.get(object_id)
        return tombstone is not None and (tombstone.whole or (bool(sha256) and tombstone.means(sha256)))

    # One ------------------------------------------------------------------------------------------------------------

    def album(self, ref: Ref) -> AlbumRow | None:
        """Return an album, None where it is not here, or not shared."""
        found = self.shown(self.shelf.albums_at([ref.key]))
        return min(found, key=lambda album: album.object_id) if found else None

    def artist(self, ref: Ref) -> ArtistRow | None:
        """Return an artist, None for one who is on nothing here."""
        return self.shelf.artists_at([ref.key]).get(ref.key)

    def song(self, ref: Ref) -> SongRow | None:
        """Return a song, None where it is not here, or not shared."""
        named = Song(ref.key, ref.path)
        return self.songs_at([named]).get(named)

    def owner(self, album: AlbumRow) -> ObjectRow | None:
        """Return the object that an album is."""
        return self._rooms.register.object(album.object_id)

    def songs_at(self, songs: Iterable[Song]) -> dict[Song, SongRow]:
        """Return songs by their names, as they are kept, as far as they are here."""
        wanted: dict[int, set[str]] = {}
        for song in songs:
            wanted.setdefault(song.album, set()).add(song.path)
        albums = self.shown(self.shelf.albums_at(wanted))
        chosen = self.shelf.songs(albums, lambda album, path: path_digest(path) in wanted[album.album_key])
        found: dict[Song, SongRow] = {}
        for row in self.heard(chosen):
            found.setdefault(song_key(row), row)
        return found

    def albums_at(self, keys: Sequence[int]) -> list[AlbumRow]:
        """Return albums in the order of their keys, as far as they are here."""
        found = {album.album_key: album for album in self.shown(self.shelf.albums_at(keys))}
        return [found[key] for key in keys if key in found]

    def artists_at(self, keys: Sequence[int]) -> list[ArtistRow]:
        """Return artists in the order of their keys, as far as they are here."""
        found = self.shelf.artists_at(keys)
        return [found[key] for key in keys if key in found]

    # Several --------------------------------------------------------------------------------------------------------

    def albums(self, order: Order, limit: int, offset: int) -> list[AlbumRow]:
        """Return a page of all albums."""
        return self.shown(self.shelf.albums(order, self.page(limit, offset)))

    def albums_of(self, artist_key: int) -> list[AlbumRow]:
        """Return the albums of an artist, own ones before those of others that they are on, by year and title."""
        page = self.page(ALBUMS_OF_ARTIST_MAX)
        found = {album.object_key: album for album in self.shelf.albums_by(artist_key, page)}
        found |= {album.object_key: album for album in self.shelf.albums_with(artist_key, page)}
        return sorted(
            self.shown(found.values()),
            key=lambda album: (album.artist_key != artist_key, album.year or 0, album.sort_title, album.object_id),
        )

    def songs_of(self, albums: Sequence[AlbumRow]) -> list[SongRow]:
        """Return the songs of albums, each album's by disc and track."""
        songs = self.heard(self.shelf.songs(albums))
        places = {album.object_key: place for place, album in enumerate(albums)}
        return sorted(songs, key=lambda song: (places[song.album.object_key], *_place(song)))

    def songs_by(self, artist_key: int, limit: int) -> list[SongRow]:
        """Return songs of an artist."""
        albums = self.albums_of(artist_key)[:limit]
        return [song for song in self.songs_of(albums) if name_key(song.artist or song.album.artist) == artist_key][:limit]

    def songs(self, limit: int, offset: int) -> list[SongRow]:
        """Return a page of all songs."""
        return self.heard(self.shelf.song_page(self.page(limit, offset))) if limit else []

    def songs_of_genre(self, genre: str, limit: int, offset: int) -> list[SongRow]:
        """Return a page of the songs with a genre."""
        return self.heard(self.shelf.songs_of_genre(genre, self.page(limit, offset))) if limit else []

    def genres(self) -> list[GenreRow]:
        """Return all genres."""
        return self.shelf.genres()

    # By chance ------------------------------------------------------------------------------------------------------

    def random_albums(self, limit: int) -> list[AlbumRow]:
        """Return albums by chance, none twice. Their keys are digests, so that neighbours among them have nothing in common."""
        found: dict[int, AlbumRow] = {}
        each = -(-limit // RANDOM_STARTS)
        for _ in range(min(RANDOM_STARTS, limit)):
            start = self._chance.randint(_LOWEST, _HIGHEST)
            found |= {album.object_key: album for album in self.shelf.albums_from(start, self.page(each))}
        if len(found) < limit:
            found |= {album.object_key: album for album in self.shelf.albums_from(_LOWEST, self.page(limit))}
        albums = self.shown(found.values())
        self._chance.shuffle(albums)
        return albums[:limit]

    def random_songs(self, limit: int, genre: str, years: tuple[int, int] | None) -> list[SongRow]:
        """Return songs by chance, of a genre where one is named, of years where they are."""
        if genre:
            albums = self._by_chance(lambda page: self.shelf.albums_of_genre(genre, page), limit)
        elif years is not None:
            first, last = years
            albums = self._by_chance(lambda page: self.shelf.albums_of_years(first, last, page), limit)
        else:
            albums = self.random_albums(limit)
        songs = [song for song in self.heard(self.shelf.songs(self._enough(albums, limit))) if _fits(song, genre, years)]
        self._chance.shuffle(songs)
        return songs[:limit]

    def _by_chance(self, listed: Callable[[Page], list[AlbumRow]], limit: int) -> list[AlbumRow]:
        """Return albums of a list from places by chance. Where the list ends before such a place, the next is tried before it."""
        found: dict[int, AlbumRow] = {}
        end, each = self.shelf.counts()[0], -(-limit // RANDOM_STARTS)
        for _ in range(RANDOM_STARTS):
            start = self._chance.randrange(max(1, end))
            some = listed(self.page(each, start))
            end = end if some else start
            found |= {album.object_key: album for album in some}
        if len(found) < limit:
            found |= {album.object_key: album for album in listed(self.page(limit))}
        albums = self.shown(found.values())
        self._chance.shuffle(albums)
        return albums

    def _enough(self, albums: Sequence[AlbumRow], limit: int) -> list[AlbumRow]:
        """Return the first of some albums that have so many songs together, each counting for SONGS_OF_ALBUM at most."""
        taken, count = [], 0
        for album in albums:
            if count >= limit:
                break
            taken.append(album)
            count += min(album.song_count, SONGS_OF_ALBUM)
        return taken


def song_key(song: SongRow) -> Song:
    """Return a song's name, as it is kept."""
    return Song(song.album.album_key, path_digest(song.logical_path))


def _place(song: SongRow) -> tuple[int, int, int]:
    tags = song.tags
    return (
        tags.disc_number or 1 if tags else 1,
        tags.track_number or song.position + 1 if tags else song.position + 1,
        song.position,
    )


def _fits(song: SongRow, genre: str, years: tuple[int, int] | None) -> bool:
    if genre and genre not in genres_of(song.tags):
        return False
    year = song.year or song.album.year
    return years is None or (year is not None and min(years) <= year <= max(years))
