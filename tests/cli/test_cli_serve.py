"""What `fonoteca serve` listens on."""

from __future__ import annotations

import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from fonoteca.cli.serve import address_of, listen
from fonoteca.model.errors import UsageError


def test_connections_send_at_once() -> None:
    """Else each answer on a connection that stays open comes 40 ms late."""
    with closing(listen("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with closing(accepted):
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_named() -> None:
    with closing(listen("127.0.0.1", 0)) as listener, pytest.raises(UsageError, match="cannot listen"):
        listen("127.0.0.1", listener.getsockname()[1])


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_it_listens_where_ipv6_has_it() -> None:
    with closing(listen("::1", 0)) as listener:
        host, port = urlsplit(address_of(listener)).hostname, urlsplit(address_of(listener)).port
        socket.create_connection((host, port)).close()
    assert host == "::1"
