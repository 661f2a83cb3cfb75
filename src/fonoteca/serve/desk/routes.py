"""Every route of the desk."""

from __future__ import annotations

from starlette.routing import Route

from fonoteca.serve.desk.alike import AlikePages
from fonoteca.serve.desk.frame import Frame
from fonoteca.serve.desk.home import HomePages
from fonoteca.serve.desk.matches import MatchPages
from fonoteca.serve.desk.notices import NoticePages
from fonoteca.serve.desk.objects import ObjectPages
from fonoteca.serve.desk.recordings import RecordingPages
from fonoteca.serve.desk.review import ReviewPages
from fonoteca.serve.desk.terms import TermPages
from fonoteca.serve.desk.uploads import UploadPages
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms


def desk_routes(rooms: ServeRooms, pages: Pages) -> list[Route]:
    """Return the routes of the desk; none where nothing carries decisions out."""
    if rooms.desk is None:
        return []
    frame = Frame(rooms, pages, rooms.desk)
    groups = (
        HomePages(frame),
        AlikePages(frame),
        ReviewPages(frame),
        NoticePages(frame),
        ObjectPages(frame),
        TermPages(frame),
        RecordingPages(frame),
        UploadPages(frame),
        MatchPages(frame),
    )
    return [route for group in groups for route in group.routes()]
