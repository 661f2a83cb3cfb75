"""The verdict on any torrent file: sound, or refused with every reason, and what is unwise about it.

It reads with `torrentreading`, which the archive itself reads torrents with: what one refuses, the other refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fonoteca.formats.metainfo import LOADABLE_TORRENT_BYTES_MAX
from fonoteca.formats.torrentfiles import Dictionary
from fonoteca.formats.torrentreading import Metainfo, Read, read_torrent
from fonoteca.formats.torrentrules import Finding, Findings, shown
from fonoteca.model.hashes import BLOCK_BYTES

_LARGE_PIECE_BYTES = 16 * 2**20
_UTF8_NAMES = (b"UTF-8", b"UTF8", b"utf-8", b"utf8")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of a torrent. metainfo: None when it is refused.

    version: `v1`, `v2` or `hybrid`, "" when it cannot be told. findings: those to refuse for first, each group in the order
    of the reading, at most `KEPT_OF_A_CODE_MAX` of each code. counts: code to how often it was found.
    """

    metainfo: Metainfo | None
    version: str
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]

    @property
    def sound(self) -> bool:
        """Whether the torrent can be used; it may be unwise."""
        return self.metainfo is not None

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """Why it is refused."""
        return tuple(finding for finding in self.findings if finding.refused)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is unwise about it."""
        return tuple(finding for finding in self.findings if not finding.refused)


def check_torrent(content: bytes) -> Verdict:
    """Return the verdict on a torrent file, whatever its bytes are; nothing is raised for them.

    Cost: as `parse_torrent`. Memory: a few times the content, and what 3 million values need (some 400 MB) at the worst.
    Source: BEP 3, 12, 19, 27, 47, 52.
    """
    found = Findings()
    read = read_torrent(content, found)
    if read.info is not None and read.top is not None:
        _find_private(found, read.info)
    if not found.refused:
        _find_unwise(found, content, read)
    ordered = sorted(found.kept, key=lambda finding: not finding.refused)
    metainfo = None if found.refused else read.metainfo
    return Verdict(metainfo, _version_of(read), tuple(ordered), found.counts)


def _version_of(read: Read) -> str:
    if read.v1 and read.v2:
        return "hybrid"
    return "v2" if read.v2 else "v1" if read.v1 else ""


def _find_private(found: Findings, info: Dictionary) -> None:
    """Note what BEP 27's field says."""
    private = info.get(b"private", 0)
    if private not in (0, 1):
        found.add("private.value", "info.private", f"expected 0 or 1, found {shown(repr(private))}")
    elif private:
        found.add("private.set", "info.private", "its trackers alone say who has it: when they are gone, nobody finds its peers")


def _find_unwise(found: Findings, content: bytes, read: Read) -> None:
    """Note what is legal and unwise in a torrent that is not refused. Other notes were made where the field was read."""
    metainfo, top = read.metainfo, read.top
    assert metainfo is not None
    assert top is not None
    if metainfo.infohash_v2 is None:
        found.add("version.v1", "", "there is no v2 half: SHA-1 alone proves its pieces, for which collisions are known")
    if metainfo.infohash_v1 is None:
        found.add("version.v2", "", "there is no v1 half: clients without BEP 52 cannot take it")
        _find_single(found, metainfo)
    _find_piece_length(found, metainfo.piece_bytes)
    if len(content) > LOADABLE_TORRENT_BYTES_MAX:
        sentence = (
            f"{len(content)} bytes: clients of libtorrent refuse more than {LOADABLE_TORRENT_BYTES_MAX}, unless told otherwise"
        )
        found.add("torrent.large", "", sentence)
    if b"httpseeds" in top:
        found.add("webseed.old", "httpseeds", "a web seed of BEP 17, which few clients speak")
    encoding = top.get(b"encoding", b"UTF-8")
    if encoding not in _UTF8_NAMES:
        named = shown(encoding if isinstance(encoding, bytes) else repr(encoding))
        found.add("encoding.other", "encoding", f"{named}: clients that heed it read other names than UTF-8 gives")


def _find_single(found: Findings, metainfo: Metainfo) -> None:
    """Note a v2 torrent that libtorrent takes for another than BEP 52 does."""
    only = metainfo.files[0].path
    if len(metainfo.files) == 1 and "/" not in only and only != metainfo.name:
        sentence = f"{shown(only)} is the only file of the folder {shown(metainfo.name)}: libtorrent leaves the folder out"
        found.add("tree.single", "info.file tree", sentence)


def _find_piece_length(found: Findings, piece_bytes: int) -> None:
    """Note a piece length that serves nobody."""
    said = f"piece length {piece_bytes}"
    if piece_bytes & (piece_bytes - 1):
        found.add("piece.odd", "info", f"{said} is no power of two: it can have no v2 half")
    if piece_bytes < BLOCK_BYTES:
        found.add("piece.small", "info", f"{said} is less than the {BLOCK_BYTES} that peers ask for at a time")
    if piece_bytes > _LARGE_PIECE_BYTES:
        found.add("piece.large", "info", f"{said}: a flipped bit costs as much")
