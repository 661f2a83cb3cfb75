"""What is kept for an account: nothing of those who have none. Lists of it are empty for them, and changing it needs an account."""

from __future__ import annotations

from collections.abc import Mapping

from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.browsing import FOLDER_ID
from fonoteca.serve.subsonic.calls import Call, Handler
from fonoteca.serve.subsonic.listeners import Listener
from fonoteca.serve.subsonic.nouns import instant

_CLOSED_ROLES = (
    *("settingsRole", "uploadRole", "coverArtRole", "commentRole", "podcastRole", "jukeboxRole", "shareRole"),
    "videoConversionRole",
)
"""What nobody may do by this protocol."""


def user(call: Call) -> Noun:
    """Return the account that asks. Others are not told of."""
    if call.given.needed("username") != call.listener.name:
        raise CallError(Code.FORBIDDEN, "Only your own account is told of.")
    return {"user": _user(call.listener)}


def users(call: Call) -> Noun:
    """Return all accounts, to an operator."""
    raise CallError(Code.FORBIDDEN, "Only an operator may see who has an account.")


def _user(listener: Listener) -> Noun:
    allowed = {"adminRole": listener.operator, "streamRole": True, "downloadRole": True, "playlistRole": listener.known}
    closed = dict.fromkeys(_CLOSED_ROLES, False)
    return {"username": listener.name, "scrobblingEnabled": listener.known, **allowed, **closed, "folder": [FOLDER_ID]}


def token_info(call: Call) -> Noun:
    """Return whose API key this is."""
    call.given.needed("apiKey")
    return {"tokenInfo": {"username": call.listener.name}}


def nothing(name: str) -> Handler:
    """Return the handler of a list that is empty."""
    return lambda call: {name: {} if name != "nowPlaying" else {"entry": []}}


def queue(name: str) -> Handler:
    """Return the handler of a queue that nobody saved."""
    return lambda call: {name: {"username": call.listener.name, "changed": instant(call.now), "changedBy": ""}}


def no_playlist(call: Call) -> Noun:
    """Return no playlist: there is none with any id."""
    call.given.needed("id")
    raise CallError(Code.NOT_FOUND, "There is no such playlist.")


def refused(call: Call) -> Noun:
    """Return no change: nothing is kept of those who have no account."""
    raise CallError(Code.FORBIDDEN, "This needs an account.")


HANDLERS: Mapping[str, Handler] = {
    "getUser": user,
    "getUsers": users,
    "tokenInfo": token_info,
    "getStarred": nothing("starred"),
    "getStarred2": nothing("starred2"),
    "getNowPlaying": nothing("nowPlaying"),
    "getPlaylists": nothing("playlists"),
    "getPlaylist": no_playlist,
    "getBookmarks": nothing("bookmarks"),
    "getPlayQueue": queue("playQueue"),
    **dict.fromkeys(("star", "unstar", "setRating", "scrobble", "createPlaylist", "updatePlaylist", "deletePlaylist"), refused),
    **dict.fromkeys(("savePlayQueue", "createBookmark", "deleteBookmark"), refused),
}
