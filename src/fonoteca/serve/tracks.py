"""Pages of one track, held or only known, and of releases that the catalogue knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fonoteca.audio import ENCODERS
from fonoteca.model.catalogue import Recording
from fonoteca.model.errors import FonotecaError
from fonoteca.model.ids import LogicalPath, ObjectId
from fonoteca.model.rights import Kind, Scheme
from fonoteca.model.withdrawal import Purpose
from fonoteca.register import FileRow, recording_of
from fonoteca.rights import describe, find_licence
from fonoteca.serve.locating import asked_from
from fonoteca.serve.merged import files_holding
from fonoteca.serve.passage import refuse_withdrawn
from fonoteca.serve.paths import logical_path_of, object_id_of, raw_parts, track_url
from fonoteca.serve.playing import Playable, playables
from fonoteca.serve.problems import Problem
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.views import DropView, ObjectView, drop_views, object_view

RELEASE_TRACKS_MAX = 500
_NO_TRACK = "There is no such track in this archive, and its catalogue knows none by this address."


@dataclass(frozen=True, slots=True)
class TrackView:
    """All that a held track's page says. before, after: its neighbours on the release. drops: those that it is in."""

    playable: Playable
    release: ObjectView
    before: FileRow | None
    after: FileRow | None
    recording: Recording | None
    drops: tuple[DropView, ...]

    @property
    def row(self) -> FileRow:
        """The track as the register has it."""
        return self.playable.row


@dataclass(frozen=True, slots=True)
class KnownTrack:
    """A recording of the catalogue in a list. page: of the held track, or of what is known of it. playable: None unless held."""

    recording: Recording
    page: str
    playable: Playable | None


class TrackPages:
    """The routes of tracks: `/tracks/OBJECT/PATH` where it is held, `/tracks/ID` of the catalogue's recording for all."""

    def __init__(self, rooms: ServeRooms, pages: Pages) -> None:
        self._rooms = rooms
        self._pages = pages

    def routes(self) -> list[Route]:
        """Return the routes, for GET and HEAD."""
        return [Route("/tracks/{rest:rest}", self.track), Route("/releases/{rest:rest}", self.release)]

    def track(self, request: Request) -> Response:
        """Return a track's page."""
        parts = raw_parts(request, "/tracks/")
        if len(parts) == 1:
            return self._recording(request, parts[0])
        object_id, logical_path = object_id_of(parts[0]) if parts else None, logical_path_of(parts[1:])
        if object_id is None or logical_path is None:
            raise Problem(404, _NO_TRACK)
        return self._page(request, "track.html", {"view": self._held(asked_from(self._rooms, request), object_id, logical_path)})

    def release(self, request: Request) -> Response:
        """Return the page of a release that the catalogue knows: which of its tracks are held, and which are not."""
        parts = raw_parts(request, "/releases/")
        recordings = self._rooms.catalogue.release_recordings(parts[0])[:RELEASE_TRACKS_MAX] if len(parts) == 1 else []
        rooms = asked_from(self._rooms, request)
        tracks = [track for each in recordings if (track := self._known(rooms, each)) is not None]
        if not tracks:
            raise Problem(404, "The catalogue knows no such release.")
        artists = {track.recording.artist for track in tracks}
        return self._page(
            request,
            "known_release.html",
            {"title": tracks[0].recording.release, "artist": artists.pop() if len(artists) == 1 else "", "tracks": tracks},
        )

    def _held(self, rooms: ServeRooms, object_id: ObjectId, logical_path: LogicalPath) -> TrackView:
        """Return what a held track's page says. Raises: Problem."""
        row = self._rooms.register.file(object_id, logical_path)
        refuse_withdrawn(self._rooms, object_id, Purpose.LISTENING, row.stored.hashes.sha256 if row else "")
        owner = self._rooms.register.object(object_id)
        if row is None or owner is None or owner.item is None or owner.kind != Kind.AUDIO:
            raise Problem(404, _NO_TRACK)
        release = object_view(rooms, owner)
        paths = [each.logical_path for each in release.files]
        place = paths.index(logical_path) if logical_path in paths else -1
        if place < 0:
            raise Problem(404, _NO_TRACK)
        carriers = set(self._rooms.register.withdrawals.drops_with(object_id))
        return TrackView(
            playable=Playable(row, release.passage, owner.quarantined_at is not None),
            release=release,
            before=release.files[place - 1] if place else None,
            after=release.files[place + 1] if place + 1 < len(paths) else None,
            recording=self._recording_of(row),
            drops=tuple(view for view in drop_views(self._rooms) if view.row.infohash_v2 in carriers),
        )

    def _recording_of(self, row: FileRow) -> Recording | None:
        """Return what the catalogue says of a held track; None where it does not know it, or cannot be asked."""
        try:
            return self._rooms.catalogue.recording(recording_of(row.object_id, row.stored))
        except FonotecaError:
            return None

    def _recording(self, request: Request, recording_id: str) -> Response:
        """Return the way to the held track, or the page of a recording that is known and not held. Raises: Problem."""
        recording = self._rooms.catalogue.recording(recording_id)
        known = self._known(asked_from(self._rooms, request), recording) if recording else None
        if recording is None or known is None:
            raise Problem(404, _NO_TRACK)
        if known.playable is not None:
            return RedirectResponse(known.page, 302, {"Cache-Control": "no-cache"})
        licence = find_licence(recording.licence_uri, Scheme.LICENCE_URI) if recording.licence_uri else None
        facts = {"track": recording, "licence": licence, "terms": describe(licence) if licence else ""}
        return self._page(request, "known_track.html", facts)

    def _known(self, rooms: ServeRooms, recording: Recording) -> KnownTrack | None:
        """Return a recording with the way to it; None for one of which all that was held was withdrawn."""
        sieve = self._rooms.register.withdrawals.sieve(Purpose.FINDING)
        rows = files_holding(self._rooms, recording.id, recording.held)
        if sieve.hides(recording.held, rows):
            return None
        found = playables(rooms, sieve.files(rows)[:1])
        if not found:
            return KnownTrack(recording, f"/tracks/{recording.id}", None)
        return KnownTrack(recording, track_url(found[0].row.object_id, found[0].row.logical_path), found[0])

    def _page(self, request: Request, template: str, facts: Mapping[str, Any]) -> Response:
        formats = [(form.value, encoder.ending) for form, encoder in ENCODERS.items()]
        page = self._pages.render(request, template, {**facts, "formats": formats})
        return Response(page, media_type="text/html", headers={"Cache-Control": "no-cache"})
