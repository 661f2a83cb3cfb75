"""Where the bytes of drops may be had, besides where their torrents say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Who has the bytes, besides those that torrents name. peers: host and port. web_seeds: BEP 19 base URLs."""

    peers: tuple[tuple[str, int], ...] = ()
    web_seeds: tuple[str, ...] = ()
