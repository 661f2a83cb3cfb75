"""The site and its files over HTTP (floor 3)."""

from fonoteca.serve.app import create_app
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.zero_copy import ZeroCopy

__all__ = ["ServeRooms", "ZeroCopy", "create_app"]
