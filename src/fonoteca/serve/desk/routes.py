"""Every route of the desk."""

from __future__ import annotations

from starlette.routing import Route

from fonoteca.serve.desk.alike import AlikePages
from fonoteca.serve.desk.frame import Frame
from fonoteca.serve.desk.home import HomePages
from fonoteca.serve.desk.review import ReviewPages
from fonoteca.serve.desk.terms import TermPages
from fonoteca.serve.rendering import Pages
from fonoteca.serve.rooms import ServeRooms


def desk_routes(rooms: ServeRooms, pages: Pages) -> list[Route]:
    """Return the routes of the desk; none where nothing carries decisions out."""
    if rooms.desk is None:
        return []
    frame = Frame(rooms, pages, rooms.desk)
    return [*HomePages(frame).routes(), *AlikePages(frame).routes(), *ReviewPages(frame).routes(), *TermPages(frame).routes()]
