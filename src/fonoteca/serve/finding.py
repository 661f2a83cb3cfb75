"""What search found, with the pages that it leads to, and what is known of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fonoteca.model.withdrawal import Purpose
from fonoteca.register import FileRow, Sieve
from fonoteca.search import Hit, HitKind, indexed, read_query, typing_errors
from fonoteca.serve.merged import files_holding
from fonoteca.serve.narrowing import Narrowed
from fonoteca.serve.paths import artist_url, cover_url, known_release_url, recording_url, track_url
from fonoteca.serve.paths import object_url as page_of_object
from fonoteca.serve.playing import Playable, playables
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.views import licence_view

_FILES_A_RELEASE = 100
"""More than nearly every release has: so many rows are looked at for each that was withdrawn."""

_ERRORS_MAX = 2
_NEAR_WORDS_MAX = 3


@dataclass(frozen=True, slots=True)
class FoundHit:
    """Something found. page: where more is said of it. cover: the address of its picture, "" where nothing of it is held.

    artist: of a release that of its most heard track. licence: of what is held of it, in words, "" for nothing.
    share: of all listening. playable: the track as it may be heard here, None for all else.
    """

    kind: HitKind
    id: str
    title: str
    artist: str
    release: str
    held: bool
    share: float
    page: str
    cover: str = ""
    licence: str = ""
    playable: Playable | None = None


@dataclass(frozen=True, slots=True)
class Unspelled:
    """A word that is in nothing found. near: words that are, near to it, with the search for them; none where it was left out."""

    word: str
    near: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits, the best first. after: the cursor of the next page, "" for none."""

    hits: tuple[FoundHit, ...]
    after: str
    unspelled: tuple[Unspelled, ...] = ()


def find(rooms: ServeRooms, asked: Narrowed, limit: int, after: str = "") -> Found:
    """Return a page of what search finds; nothing before the first index is built.

    It may be short, since what was withdrawn after the index was built is left out. after: the cursor of the page before.
    Cost: one search, and a look-up in the register for each hit that is held. Raises: UsageError for a cursor of another search.
    """
    if rooms.finder.current() is None:
        return Found((), "")
    answer = rooms.finder.page(asked.text, limit, after)
    sieve = rooms.register.withdrawals.sieve(Purpose.FINDING)
    found = tuple(each for hit in answer.hits if (each := _NOUNS[hit.kind](rooms, sieve, hit)) is not None)
    return Found(found, answer.after, unspelled(asked, found))


def unspelled(asked: Narrowed, hits: Sequence[FoundHit]) -> tuple[Unspelled, ...]:
    """Return the words of a search that are in none of its hits, so that the page can say what was taken for them."""
    if not hits:
        return ()
    known = {word for hit in hits for text in (hit.title, hit.artist, hit.release) for word in indexed(text).split()}
    found = []
    for phrase in read_query(asked.q).phrases:
        for place, word in enumerate(phrase.words):
            begun = phrase.prefix and place == len(phrase.words) - 1
            if word in known or (begun and any(each.startswith(word) for each in known)):
                continue
            errors = {each: typing_errors(word, each, prefix=begun) for each in known if each[:1].isalpha()}
            near = sorted((each for each in errors if errors[each] <= _ERRORS_MAX), key=lambda each: (errors[each], each))
            near = [each for each in near if errors[each] == errors[near[0]]][:_NEAR_WORDS_MAX]
            found.append(Unspelled(word, tuple((each, _put_right(asked, word, each)) for each in near)))
    return tuple(found)


def _put_right(asked: Narrowed, word: str, near: str) -> str:
    """Return the address of a search with a word in another's place."""
    words = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _: near, asked.q, flags=re.IGNORECASE)
    if words == asked.q:
        words = " ".join(near if each == word else each for each in read_query(asked.q).words)
    return asked.url(q=words)


def _track(rooms: ServeRooms, sieve: Sieve, hit: Hit) -> FoundHit | None:
    """Return a track; it is held if the register has it now, whatever the index said when it was built. None: it was withdrawn."""
    rows = files_holding(rooms, hit.id, held=True) if hit.held else []
    if sieve.hides(hit.held, rows):
        return None
    files = sieve.files(rows)
    page = track_url(files[0].object_id, files[0].logical_path) if files else recording_url(hit.id)
    return _found(rooms, hit, files, page, hears=True)


def _artist(rooms: ServeRooms, sieve: Sieve, hit: Hit) -> FoundHit | None:
    """Return an artist; None when all that is held of them was withdrawn."""
    elsewhere = Narrowed(artist=hit.title, kind=HitKind.TRACK.value).url()
    if not hit.held:
        return _found(rooms, hit, (), elsewhere)
    limit = 1 if not sieve.withdrawn else len(sieve.withdrawn) * _FILES_A_RELEASE
    objects, files = rooms.register.objects_by_artist(hit.title, limit), rooms.register.files_by_artist(hit.title, limit)
    held = bool(sieve.objects(objects) or sieve.files(files))
    if not held and (objects or files or sieve.purged):
        return None
    return FoundHit(hit.kind, hit.id, hit.title, "", "", held, hit.share, artist_url(hit.title) if held else elsewhere)


def _release(rooms: ServeRooms, sieve: Sieve, hit: Hit) -> FoundHit | None:
    """Return a release; its page is that of the object that holds the first of its recordings that are held."""
    tracks = rooms.catalogue.release_recordings(hit.id) if hit.held else []
    rows = [row for track in tracks if track.held for row in files_holding(rooms, track.id, held=True)]
    if sieve.hides(hit.held, rows):
        return None
    files = sieve.files(rows)
    return _found(rooms, hit, files, page_of_object(files[0].object_id) if files else known_release_url(hit.id))


def _found(rooms: ServeRooms, hit: Hit, files: Sequence[FileRow], page: str, *, hears: bool = False) -> FoundHit | None:
    """Return a hit with what is held of it. files: of it, none for what is not held. hears: whether it is played by itself."""
    judged = playables(rooms, files[:1])
    return FoundHit(
        kind=hit.kind,
        id=hit.id,
        title=hit.title,
        artist=hit.artist if hit.kind is not HitKind.ARTIST else "",
        release=hit.release if hit.kind is HitKind.TRACK else "",
        held=bool(files),
        share=hit.share,
        page=page,
        cover=cover_url(files[0].object_id) if files else "",
        licence=licence_view(judged[0].passage).name if judged else "",
        playable=judged[0] if hears and judged and judged[0].heard else None,
    )


_NOUNS: Mapping[HitKind, Callable[[ServeRooms, Sieve, Hit], FoundHit | None]] = {
    HitKind.TRACK: _track,
    HitKind.ARTIST: _artist,
    HitKind.RELEASE: _release,
}
