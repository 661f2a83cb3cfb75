"""What the demo does to an archive besides the ordinary flows: bytes that rot on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fonoteca.model.corridor import Damage, MemberFile, StoredVersion
from fonoteca.ports import Blobs
from fonoteca.register import Register

FLIPS_MAX = 4


@dataclass(frozen=True, slots=True)
class Flip:
    """A byte to flip: in the piece with this index of this file."""

    member: MemberFile
    piece: int

    @property
    def offset(self) -> int:
        """Where in the file the byte is: the middle of its piece."""
        start = self.piece * self.member.hashes.piece_bytes
        return (start + min(start + self.member.hashes.piece_bytes, self.member.hashes.file_bytes)) // 2

    def found_in(self, damages: Sequence[Damage]) -> bool:
        """Return whether an audit located this very piece."""
        return any(d.member.path == self.member.path and self.piece in d.pieces for d in damages)


def choose_flips(register: Register) -> list[Flip]:
    """Return bytes to flip, the same for the same archive: two in the longest file, one in another, one in a metadata.json."""
    versions = [version for row in register.objects("audio") if (version := register.stored_version(row.object_id, 1))]
    audio = sorted((m for v in versions for m in _audio(v)), key=lambda m: (-m.hashes.file_bytes, m.path))
    metadata = sorted((m for v in versions for m in v.members if "metadata" in m.path), key=lambda m: m.path)
    flips = [Flip(audio[0], 1 if audio[0].hashes.piece_count > 2 else 0), Flip(audio[0], audio[0].hashes.piece_count - 1)]
    flips += [Flip(member, 0) for member in (*audio[1:2], *metadata[:1])]
    return list(dict.fromkeys(flips))[:FLIPS_MAX]


def flip(blobs: Blobs, flips: Sequence[Flip]) -> None:
    """Flip every bit of one byte for each of the flips, as a disk might."""
    for each in flips:
        path, size = each.member.path, each.member.hashes.file_bytes
        byte = blobs.read_range(path, each.offset, 1)
        blobs.patch(path, {each.offset: bytes([byte[0] ^ 0xFF])}, size)


def _audio(version: StoredVersion) -> list[MemberFile]:
    """Return the members that are audio, as the object's metadata.json says."""
    paths = {f"{version.object_path}/{file.content_path}" for file in version.files}
    return [member for member in version.members if member.path in paths]
