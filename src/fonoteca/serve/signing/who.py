"""Who asks, as the gate found it before any route was called. Looking costs nothing: it is kept with the request."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import Request

from fonoteca.people import Account, Session

SIGNED = "fonoteca.signed"
"""The key of an ASGI scope under which the gate puts `Signed`."""

IPV6_PREFIX = 64
"""What one customer of a network has to himself: he may ask from any address of it."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Who is signed in. session: of a browser, None for an API key. token: of the session, "" for a key."""

    account: Account
    session: Session | None = None
    token: str = ""


def signed(request: Request) -> Signed | None:
    """Return by what a request is signed in, None when by nothing."""
    found = request.scope.get(SIGNED)
    return found if isinstance(found, Signed) else None


def signed_in(request: Request) -> Account | None:
    """Return the account that asks, None for anyone."""
    found = signed(request)
    return found.account if found else None


def csrf_of_request(request: Request) -> str:
    """Return what a form on a page for this request sends back as `csrf`; "" for who has no session."""
    found = signed(request)
    return found.session.csrf if found and found.session else ""


def place_of(request: Request) -> str:
    """Return where a request comes from, as tries are counted: an IPv4 address, the network of an IPv6 address."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host.split("%", 1)[0])
    except ValueError:
        return host  # a socket of this machine has no address
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_PREFIX), strict=False))
