"""What whoever asks keeps of what they are shown: their stars, ratings and plays, looked up once for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fonoteca.people.personal import Hearer, Kind, Mark, Personal, Plays
from fonoteca.register import AlbumRow, ArtistRow, SongRow
from fonoteca.serve.subsonic.answers import Noun
from fonoteca.serve.subsonic.ids import path_digest
from fonoteca.serve.subsonic.nouns import instant, song_noun


@dataclass(frozen=True, slots=True)
class Own:
    """What is kept for an account; nothing for who has none. account: with the days that its listens are kept for."""

    personal: Personal
    account: Hearer | None

    @contextmanager
    def at_once(self) -> Iterator[Own]:
        """Give the same, to be asked several things by one connection."""
        if self.account is None:
            yield self
            return
        with self.personal.at_once() as personal:
            yield Own(personal, self.account)

    def songs(self, songs: Sequence[SongRow]) -> list[Noun]:
        """Return songs as the protocol tells of them."""
        nouns = [song_noun(song) for song in songs]
        if self.account is None or not songs:
            return nouns
        names = [(song.album.album_key, path_digest(song.logical_path)) for song in songs]
        marks = self.personal.marks.of(self.account.number, Kind.SONG, names)
        plays = self.personal.listening.plays(self.account, names)
        for name, noun in zip(names, nouns, strict=True):
            _tell(noun, marks.get(name), plays.get(name))
        return nouns

    def albums(self, albums: Sequence[AlbumRow], noun: Callable[[AlbumRow], Noun]) -> list[Noun]:
        """Return albums as a noun tells of them."""
        nouns = [noun(album) for album in albums]
        if self.account is None or not albums:
            return nouns
        keys = [album.album_key for album in albums]
        marks = self.personal.marks.of(self.account.number, Kind.ALBUM, [(key, "") for key in keys])
        plays = self.personal.listening.album_plays(self.account, keys)
        for key, told in zip(keys, nouns, strict=True):
            _tell(told, marks.get((key, "")), plays.get(key))
        return nouns

    def artists(self, artists: Sequence[ArtistRow], noun: Callable[[ArtistRow], Noun]) -> list[Noun]:
        """Return artists as a noun tells of them."""
        nouns = [noun(artist) for artist in artists]
        if self.account is None or not artists:
            return nouns
        names = [(artist.artist_key, "") for artist in artists]
        marks = self.personal.marks.of(self.account.number, Kind.ARTIST, names)
        for name, told in zip(names, nouns, strict=True):
            _tell(told, marks.get(name), None)
        return nouns


def _tell(noun: Noun, mark: Mark | None, plays: Plays | None) -> None:
    if mark is not None and mark.starred is not None:
        noun["starred"] = instant(mark.starred)
    if mark is not None and mark.rating:
        noun["userRating"] = mark.rating
    if plays is not None:
        noun["playCount"] = plays.count
        noun["played"] = instant(plays.last)
