"""The noun for what one pass over a file's bytes proves: enough to store, check, heal and cut torrents from it."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.model.errors import FormatError
from fonoteca.model.ids import Sha256

BLOCK_BYTES = 16384
"""A BEP 52 block, the leaf of the Merkle tree."""

SHA256_OF_NOTHING = Sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""The digest of an empty file."""


@dataclass(frozen=True, slots=True)
class FileHashes:
    """What is known of one file's bytes.

    file_bytes: length, 0 or more. piece_bytes: the archive's piece length, a power of two, at least 16384.
    pieces_root: 32 B, the BEP 52 root; b"" for an empty file, which has none.
    piece_layer: shape (ceil(file_bytes / piece_bytes), 32 B) concatenated; b"" when the file is not longer than a piece
        (BEP 52 leaves it out of `piece layers` then, and the root itself proves the only piece).
    v1_pieces: shape (ceil(file_bytes / piece_bytes), 20 B) concatenated SHA-1, the last piece as it is, unpadded.
    v1_last_padded: 20 B, SHA-1 of the last piece filled with zeros up to piece_bytes; b"" for an empty file.

    A file known by its digest alone (`digest_only`) is written as one of 0 bytes with a digest that is not of 0 bytes.
    """

    file_bytes: int
    piece_bytes: int
    sha256: Sha256
    pieces_root: bytes
    piece_layer: bytes
    v1_pieces: bytes
    v1_last_padded: bytes

    def __post_init__(self) -> None:
        """Check that the shapes agree with the lengths."""
        if self.piece_bytes < BLOCK_BYTES or self.piece_bytes & (self.piece_bytes - 1):
            raise FormatError(str(self.sha256), f"piece length {self.piece_bytes} is not a power of two from 16384 up")
        count = self.piece_count
        layer = 32 * count if count > 1 else 0
        root, last = (32, 20) if count else (0, 0)
        found = (len(self.pieces_root), len(self.piece_layer), len(self.v1_pieces), len(self.v1_last_padded))
        if found != (root, layer, 20 * count, last):
            raise FormatError(
                str(self.sha256),
                f"hash lengths {found} do not fit {self.file_bytes} bytes in {count} pieces: {(root, layer, 20 * count, last)}",
            )

    @property
    def digest_only(self) -> bool:
        """Whether nothing but the sha256 is known: neither length nor pieces."""
        return self.file_bytes == 0 and self.sha256 != SHA256_OF_NOTHING

    @property
    def piece_count(self) -> int:
        """The number of pieces, the last one often short."""
        return -(-self.file_bytes // self.piece_bytes)

    def v2_piece_hash(self, index: int) -> bytes:
        """Return the 32 B hash that proves the piece with this index, counted from 0."""
        if self.piece_count == 1:
            return self.pieces_root
        return self.piece_layer[32 * index : 32 * index + 32]
