"""Snapshots that a newer one replaced: given on for a while, for those who have not looked since, and then let go of."""

from __future__ import annotations

from datetime import datetime, timedelta

from fonoteca.catalogue import Catalogue
from fonoteca.editions import Editions, Index, snapshot_of
from fonoteca.formats.metainfo import parse_torrent
from fonoteca.model.corridor import DropKind
from fonoteca.model.ids import DropId

OUTLIVED_AFTER = timedelta(days=14)
"""As long as an edition's snapshot role is good by default (`signing.snapshot_days`): then nobody believes an edition any more that
named the old one as the newest.
"""


def outlived(index: Index | None, now: datetime) -> frozenset[DropId]:
    """Return the drops of snapshots that nobody needs any more: a newer one took their place long ago."""
    entries = index.entries if index else ()
    return frozenset(e.supersedes for e in entries if e.supersedes is not None and e.created_at + OUTLIVED_AFTER <= now)


def let_go(catalogue: Catalogue, editions: Editions, now: datetime) -> None:
    """Remove the catalogues of a mirror that nobody needs any more; the one in force stays. Their drops stay listed.

    An archive's own stay until its operator removes them: `catalogue diff` tells what changed between them. Of search indexes the
    one in use and the one before are kept anyway. Cost: nothing where two catalogues are here at most.
    """
    names = set(catalogue.snapshot_names())
    if len(names) < 3:
        return
    index = editions.index()
    gone = outlived(index, now)
    for entry in index.entries if index else ():
        if entry.kind is DropKind.METADATA and entry.id in gone and editions.has(entry) and index is not None:
            name = snapshot_of(parse_torrent(editions.torrent_of(entry)).name, index.heading.root_name)
            if name in names:
                catalogue.discard_snapshot(name)
