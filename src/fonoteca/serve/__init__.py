"""The site and its files over HTTP (floor 3)."""

from fonoteca.serve.app import create_app
from fonoteca.serve.rooms import ServeRooms

__all__ = ["ServeRooms", "create_app"]
