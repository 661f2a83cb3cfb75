"""Files of a torrent that no peer gets a piece of, though their bytes may be on the disk.

A file priority of 0 keeps libtorrent from fetching a file, and does not keep it from giving one. So a masked torrent is added
as one that lacks these pieces, under names at which nothing is: not even a check of all files, which libtorrent begins by
itself when something is missing or cut, can find them. Pieces of a hybrid torrent hold one file each (BEP 52), so nothing of
a masked file goes out with its neighbours, and all of the neighbours does.
"""

from __future__ import annotations

from collections.abc import Collection

import libtorrent as lt

from fonoteca.edges.swarm_session import info_of, payload_files
from fonoteca.model.errors import TrustError

NOWHERE = ".fonoteca-masked"
"""The folder of the names that masked files get: nothing is ever written there, since nothing of them is wanted."""

_PRIORITY = 4
"""libtorrent's default, of 1 to 7."""


def mask_paths(params: lt.add_torrent_params, without: Collection[str]) -> set[int]:
    """Hide the files at these paths from a torrent that is about to be added. Returns: their indexes."""
    hidden = {index for index, path, _ in payload_files(params) if path in without}
    params.renamed_files = {
        **params.renamed_files,
        **{index: f"{NOWHERE}/{index}" for index in hidden},
    }
    priorities = list(params.file_priorities) or [_PRIORITY] * info_of(params).num_files()
    params.file_priorities = [0 if index in hidden else priority for index, priority in enumerate(priorities)]
    return hidden


def mask_seed(params: lt.add_torrent_params, without: Collection[str], *, verify: bool = False) -> None:
    """Hide files from a torrent that is about to be seeded, and say that all but their pieces are here.

    Nothing is read, but for `verify`, which lets libtorrent find out what is here by reading all of it. Without that, pieces
    are not proved before a peer first gets them, as in libtorrent's seed mode, which knows no torrent with holes: peers prove
    them, and what an audit found damaged is for the caller to leave out.
    Raises: TrustError for a torrent of which a piece holds bytes of a masked file and of another one: no hybrid has any.
    """
    hidden = mask_paths(params, without)
    lacking = {piece for index in hidden for piece in _pieces_of(params, index)}
    layout = info_of(params).layout()
    for index, path, file_bytes in payload_files(params):
        if file_bytes and index not in hidden and not lacking.isdisjoint(_pieces_of(params, index)):
            problem = f"{path} shares a piece with a file that was withdrawn"
            raise TrustError(f"torrent {layout.name()}", problem, "It cannot be seeded without that file.")
    if not verify:
        params.have_pieces = [piece not in lacking for piece in range(info_of(params).num_pieces())]


def _pieces_of(params: lt.add_torrent_params, index: int) -> range:
    """Return the pieces that hold bytes of a file, none for an empty one."""
    layout = info_of(params).layout()
    piece_bytes, begin, size = layout.piece_length(), layout.file_offset(index), layout.file_size(index)
    return range(begin // piece_bytes, (begin + size - 1) // piece_bytes + 1) if size else range(0)
