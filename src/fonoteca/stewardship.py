"""What an archive's operator answers for: the rooms of withdrawals, and of a mirror that goes on as an archive."""

from __future__ import annotations

from dataclasses import replace

from fonoteca.edges.http import open_fetch
from fonoteca.flows.follow import FollowRooms
from fonoteca.flows.origins import BESIDE, SEEN, check_mirror, check_other, mark_at
from fonoteca.flows.promote import PromoteRooms, check_not_promoting
from fonoteca.formats.acknowledgement import MIRROR, MIRROR_BYTES_MAX, Acknowledgement, parse_acknowledgement
from fonoteca.gatehouse import withdraw_rooms as withdraw_rooms
from fonoteca.model.errors import FormatError, TrustError
from fonoteca.neighbours import edition_place
from fonoteca.ports import Progress
from fonoteca.wiring import Archive, publish_rooms


def promote_rooms(archive: Archive, progress: Progress) -> PromoteRooms:
    """Return what a promotion needs."""
    return PromoteRooms(publish_rooms(archive, progress), archive.blobs("trust"))


def beside_rooms(archive: Archive, rooms: FollowRooms) -> FollowRooms:
    """Return what a mirror needs to follow another archive beside the first one. rooms: what it needs to follow the first.

    Raises: UsageError where none can be followed beside, or it is the first; SourceError, TrustError when nothing is to be read.
    """
    trust, editions = archive.blobs("trust"), archive.editions
    own = editions.roots()
    check_not_promoting(trust)
    check_mirror(own, editions.signs_own())
    mark = mark_at(rooms.place, rooms.fetch, trust)
    check_other(mark, own)
    seen = archive.blobs(f"trust/{BESIDE}/{mark}/{SEEN}")
    others = (editions, *(each for other, each in archive.beside.items() if other != mark))
    asked = replace(rooms.asked, archive=None)
    return replace(rooms, editions=archive.edition_beside(mark), trust=seen, asked=asked, origin=mark, others=others)


def read_acknowledgement(place: str) -> Acknowledgement:
    """Return what a mirror says of itself. place: its folder, or the URL of its edition.

    Raises: SourceError when it says nothing, TrustError when that is no such thing.
    """
    content = open_fetch(edition_place(place)).read(MIRROR, MIRROR_BYTES_MAX)
    try:
        return parse_acknowledgement(content)
    except FormatError as error:
        raise TrustError(f"{place}: {error.subject}", error.problem, "Ask the mirror's operator.") from None
