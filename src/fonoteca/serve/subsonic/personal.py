"""What is kept for an account: nothing of those who have none. Lists of it are empty for them, and changing it needs an account."""

from __future__ import annotations

from collections.abc import Mapping

from fonoteca.people import Account, Role
from fonoteca.serve.subsonic import listening, marks, places, playlists
from fonoteca.serve.subsonic.answers import CallError, Code, Noun
from fonoteca.serve.subsonic.browsing import FOLDER_ID
from fonoteca.serve.subsonic.calls import Call, Handler, found
from fonoteca.serve.subsonic.listeners import Listener

_CLOSED_ROLES = (
    *("settingsRole", "uploadRole", "coverArtRole", "commentRole", "podcastRole", "jukeboxRole", "shareRole"),
    "videoConversionRole",
)
"""What nobody may do by this protocol."""


def user(call: Call) -> Noun:
    """Return the account that asks; to an operator, any."""
    name = call.given.needed("username")
    if name.casefold() == call.listener.name.casefold():
        return {"user": _user(call.listener)}
    if not call.listener.operator:
        raise CallError(Code.FORBIDDEN, "Only your own account is told of.")
    account = found(call.rooms.people.named(name), "account")
    return {"user": _user(_listener(account))}


def users(call: Call) -> Noun:
    """Return all accounts, to an operator."""
    if not call.listener.operator:
        raise CallError(Code.FORBIDDEN, "Only an operator may see who has an account.")
    return {"users": {"user": [_user(_listener(account)) for account in call.rooms.people.all()]}}


def _listener(account: Account) -> Listener:
    return Listener(account.name, account.number, account.role.covers(Role.OPERATOR))


def _user(listener: Listener) -> Noun:
    allowed = {"adminRole": listener.operator, "streamRole": True, "downloadRole": True, "playlistRole": listener.known}
    closed = dict.fromkeys(_CLOSED_ROLES, False)
    return {"username": listener.name, "scrobblingEnabled": listener.known, **allowed, **closed, "folder": [FOLDER_ID]}


def token_info(call: Call) -> Noun:
    """Return whose API key this is."""
    call.given.needed("apiKey")
    return {"tokenInfo": {"username": call.listener.name}}


HANDLERS: Mapping[str, Handler] = {
    "getUser": user,
    "getUsers": users,
    "tokenInfo": token_info,
    **marks.HANDLERS,
    **playlists.HANDLERS,
    **places.HANDLERS,
    **listening.HANDLERS,
}
