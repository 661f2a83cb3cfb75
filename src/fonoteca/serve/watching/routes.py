"""`/metrics`, for who may read it: a network of the settings, or an operator."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fonoteca.people import Role
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms
from fonoteca.serve.signing.who import signed_in
from fonoteca.serve.watching.meters import CONTENT_TYPE, Meters

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Whoever comes by a proxy that the settings do not name has the proxy's address, and not his own."""


def watching_routes(rooms: ServeRooms, meters: Meters) -> list[Route]:
    """Return the route of meters."""
    networks = [ip_network(each) for each in rooms.settings.server.metrics_from]

    def metrics(request: Request) -> Response:
        """Return all meters as text."""
        account = signed_in(request)
        if not (account and account.role.covers(Role.OPERATOR)) and not is_near(request):
            where = "from the networks that `server.metrics_from` names, or with an operator's API key"
            raise Problem(403, f"Meters are read {where}.", "role")
        return Response(meters.text(), headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE})

    def is_near(request: Request) -> bool:
        host = request.client.host if request.client else ""
        if not rooms.settings.server.proxies and any(name in request.headers for name in _FORWARDED):
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return [Route("/metrics", metrics, name="metrics")]
