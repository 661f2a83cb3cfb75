"""Which country a request comes from, as the operator's own proxy says. Nobody else is believed: whoever asks may send any header.

Rules of order:
  1. who is at the other end of the connection is looked at before any header is: later, a proxy's word has taken its place;
  2. a header that is there twice, or names no country, says nothing;
  3. where nothing is known, the place is ANYWHERE, where what is for some countries alone does not go.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fonoteca.model.settings import ServerSettings
from fonoteca.model.terms import ANYWHERE, TERRITORIES, Place
from fonoteca.serve.rooms import ServeRooms

_PLACE = "fonoteca.place"


class Locating:
    """Notes of every request where it comes from. The outermost layer: inside it, addresses are what proxies say they are."""

    def __init__(self, app: ASGIApp, server: ServerSettings) -> None:
        self._app = app
        self._header = server.country_header
        self._proxies = tuple(ip_network(each) for each in server.proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Answers say that they depend on the header, for whoever keeps them."""
        if scope["type"] != "http" or not self._header:
            await self._app(scope, receive, send)
            return
        if _is_of(scope, self._proxies):
            scope[_PLACE] = _named(Headers(scope=scope).getlist(self._header))

        async def send_varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header(self._header)
            await send(message)

        await self._app(scope, receive, send_varied)


def asked_from(rooms: ServeRooms, request: HTTPConnection) -> ServeRooms:
    """Return the rooms as they are for who asks: what they give out is judged for the country that the request comes from."""
    place = request.scope.get(_PLACE, ANYWHERE)
    assert isinstance(place, Place), "the layer above made it"
    return rooms if place == rooms.place else replace(rooms, place=place)


def _is_of(scope: Scope, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether the other end of the connection is in one of some networks."""
    client = scope.get("client")
    try:
        address = ip_address(client[0]) if client else None
    except ValueError:
        return False
    return address is not None and any(address in network for network in networks)


def _named(said: list[str]) -> Place:
    code = said[0].strip().upper() if len(said) == 1 else ""
    return Place(code) if code in TERRITORIES else ANYWHERE
