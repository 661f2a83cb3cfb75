"""A BitTorrent peer written by hand (BEP 3, 6, 10, 52) that says it has everything, and lies in a way of its own."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fonoteca.formats import merkle
from fonoteca.formats.metainfo import Metainfo, parse_torrent

CHOKE, UNCHOKE, INTERESTED, HAVE, BITFIELD, REQUEST, PIECE = 0, 1, 2, 4, 5, 6, 7
HAVE_ALL, REJECT, ALLOWED_FAST, EXTENDED, HASH_REQUEST, HASHES, HASH_REJECT = 14, 16, 17, 20, 21, 22, 23

_FAST_V2_EXTENSIONS = bytes([0, 0, 0, 0, 0, 0x10, 0, 0x14])
"""Reserved bits: extensions (BEP 10), fast (BEP 6) and the upgrade to v2 (BEP 52)."""

_PATIENCE_S = 30.0


class Honest:
    """How a peer behaves that does not lie. A liar overrides a method and lies there.

    torrent: read by us. contents: the payload by path. asked: how often blocks were asked for; hashes_asked: proofs of blocks.
    """

    def __init__(self, torrent: bytes, contents: Mapping[str, bytes]) -> None:
        self.metainfo: Metainfo = parse_torrent(torrent)
        self.contents = contents
        self.asked = 0
        self.hashes_asked = 0
        self.connections = 0

    def serve(self, wire: Wire) -> None:
        """Serve one connection until it ends."""
        self.connections += 1
        wire.shake(self.metainfo)
        wire.send(HAVE_ALL)
        wire.send(UNCHOKE)
        while True:
            kind, body = wire.receive()
            if kind == REQUEST:
                self.asked += 1
                self.answer(wire, *struct.unpack(">III", body))
            elif kind == HASH_REQUEST:
                self.hashes_asked += 1
                self.prove(wire, body)

    def answer(self, wire: Wire, piece: int, begin: int, length: int) -> None:
        """Answer a request for a block."""
        wire.send(PIECE, struct.pack(">II", piece, begin) + self.block(piece, begin, length))

    def prove(self, wire: Wire, request: bytes) -> None:
        """Answer a request for the hashes of a piece's blocks (BEP 52)."""
        root, base, index, length, _ = struct.unpack(">32sIIII", request)
        path = next(file.path for file in self.metainfo.files if file.pieces_root == root)
        leaves = merkle.block_hashes(self.contents[path])
        found = leaves[index : index + length]
        found += [bytes(merkle.HASH_BYTES)] * (length - len(found))
        wire.send(HASHES, request + b"".join(found) if base == 0 else request)

    def block(self, piece: int, begin: int, length: int) -> bytes:
        """Return a block as it truly is, pads as zeros."""
        piece_bytes = self.metainfo.piece_bytes
        file = max((f for f in self.metainfo.files if f.file_bytes and f.first_piece <= piece), key=lambda f: f.first_piece)
        start = (piece - file.first_piece) * piece_bytes + begin
        return self.contents[file.path][start : start + length].ljust(length, b"\0")


class Wire:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def shake(self, metainfo: Metainfo) -> None:
        """Shake hands: by the v2 infohash where there is one, which makes the other side speak v2."""
        theirs = self.receive_exactly(68)
        infohash = theirs[28:48]
        if metainfo.infohash_v2 is not None:
            infohash = bytes.fromhex(metainfo.infohash_v2)[:20]
        identity = hashlib.sha1(repr(self._connection.getsockname()).encode()).digest()
        self.raw(b"\x13BitTorrent protocol" + _FAST_V2_EXTENSIONS + infohash + identity)

    def send(self, kind: int, body: bytes = b"") -> None:
        """Send one message."""
        self.raw(struct.pack(">IB", 1 + len(body), kind) + body)

    def raw(self, content: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sendall(content)

    def receive(self) -> tuple[int, bytes]:
        """Return the next message that is not a keepalive."""
        while True:
            (length,) = struct.unpack(">I", self.receive_exactly(4))
            if length:
                body = self.receive_exactly(length)
                return body[0], body[1:]

    def receive_exactly(self, count: int) -> bytes:
        """Return so many bytes. Raises: ConnectionError when the other side ends before."""
        found = b""
        while len(found) < count:
            part = self._connection.recv(count - len(found))
            if not part:
                raise ConnectionError("the other side ended")
            found += part
        return found

    def hold(self) -> None:
        """Read on and answer nothing."""
        while self._connection.recv(65536):
            pass

    def end(self) -> None:
        """Hang up."""
        raise ConnectionError("enough")


@contextmanager
def listening(peer: Honest) -> Iterator[tuple[str, int]]:
    """Let a peer serve until the context ends. Gives its address."""
    server = socket.create_server(("127.0.0.1", 0))
    open_now: list[socket.socket] = []
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(_PATIENCE_S)
            try:
                peer.serve(Wire(connection))
            except (OSError, struct.error):
                return

    def accept() -> None:
        while not done.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            open_now.append(connection)
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    threads = [threading.Thread(target=accept, daemon=True)]
    threads[0].start()
    try:
        yield server.getsockname()
    finally:
        done.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in open_now:
            with suppressed():
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(_PATIENCE_S)


@contextmanager
def suppressed() -> Iterator[None]:
    """Pass over a connection that is closed already."""
    try:
        yield
    except OSError:
        return


class BadBlocks(Honest):
    """Sends other bytes than were asked for."""

    def block(self, piece: int, begin: int, length: int) -> bytes:
        """Return rubbish."""
        return b"\xa5" * length


class BadBlocksTrueHashes(BadBlocks):
    """Sends rubbish, and true proofs that it is rubbish."""


class BadBlocksBadHashes(BadBlocks):
    """Sends rubbish, and false hashes that would prove it."""

    def prove(self, wire: Wire, request: bytes) -> None:
        """Answer with hashes of the rubbish."""
        length = struct.unpack(">32sIIII", request)[3]
        wire.send(HASHES, request + hashlib.sha256(b"\xa5" * 16384).digest() * length)


class BadBlocksNoHashes(BadBlocks):
    """Sends rubbish, and refuses every proof."""

    def prove(self, wire: Wire, request: bytes) -> None:
        """Refuse."""
        wire.send(HASH_REJECT, request)


class TornHashes(BadBlocks):
    """Sends rubbish, and hash messages of the wrong length."""

    def prove(self, wire: Wire, request: bytes) -> None:
        """Answer with half a hash."""
        wire.send(HASHES, request + b"x" * 17)


class ForeignHashes(Honest):
    """Sends hashes that nobody asked for, of other roots, and requests for hashes without end."""

    def serve(self, wire: Wire) -> None:
        """Flood with hashes, and then be honest."""
        wire.shake(self.metainfo)
        wire.send(HAVE_ALL)
        for number in range(2000):
            wire.send(HASHES, struct.pack(">32sIIII", bytes([number % 256]) * 32, 0, 0, 2, 0) + bytes(64))
        wire.hold()


class OneBadPiece(Honest):
    """Is honest, but for one piece: the third that it is asked for, whichever that is."""

    def __init__(self, torrent: bytes, contents: Mapping[str, bytes]) -> None:
        super().__init__(torrent, contents)
        self._pieces: list[int] = []

    def block(self, piece: int, begin: int, length: int) -> bytes:
        """Return rubbish for the third piece."""
        if piece not in self._pieces:
            self._pieces.append(piece)
        return b"\xa5" * length if self._pieces.index(piece) == 2 else super().block(piece, begin, length)


class Staller(Honest):
    """Takes requests and answers none."""

    def answer(self, wire: Wire, piece: int, begin: int, length: int) -> None:
        """Answer nothing."""


class StopsInABlock(Honest):
    """Sends half of a block, and then nothing."""

    def answer(self, wire: Wire, piece: int, begin: int, length: int) -> None:
        """Begin the first answer."""
        wire.raw(struct.pack(">IBII", 9 + length, PIECE, piece, begin) + self.block(piece, begin, length)[: length // 2])
        wire.hold()


class Dripper(Honest):
    """Sends true blocks, a byte now and then."""

    def answer(self, wire: Wire, piece: int, begin: int, length: int) -> None:
        """Send a block a byte at a time."""
        wire.raw(struct.pack(">IBII", 9 + length, PIECE, piece, begin))
        for octet in self.block(piece, begin, length):
            wire.raw(bytes([octet]))
            time.sleep(0.05)


class HangsUp(Honest):
    """Ends the connection at the first request."""

    def answer(self, wire: Wire, piece: int, begin: int, length: int) -> None:
        """Hang up."""
        wire.end()


class HangsUpAtOnce(Honest):
    """Ends the connection before the handshake."""

    def serve(self, wire: Wire) -> None:
        """Hang up."""
        self.connections += 1


class Rejecter(Honest):
    """Says that it has everything, and rejects every request (BEP 6)."""

    def answer(self, wire: Wire, piece: int, begin: int, length: int) -> None:
        """Reject."""
        wire.send(REJECT, struct.pack(">III", piece, begin, length))


class Choker(Honest):
    """Chokes and unchokes without end."""

    def serve(self, wire: Wire) -> None:
        """Flap."""
        wire.shake(self.metainfo)
        wire.send(HAVE_ALL)
        while True:
            wire.send(UNCHOKE)
            wire.send(CHOKE)


class Silent(Honest):
    """Takes the connection and says nothing."""

    def serve(self, wire: Wire) -> None:
        """Say nothing."""
        wire.hold()


class NotBitTorrent(Honest):
    """Answers in another protocol, without end."""

    def serve(self, wire: Wire) -> None:
        """Answer as a web server would."""
        wire.raw(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            wire.raw(b"<html>" * 1000)


class OtherTorrent(Honest):
    """Shakes hands for another torrent."""

    def serve(self, wire: Wire) -> None:
        """Name another infohash."""
        wire.receive_exactly(68)
        wire.raw(b"\x13BitTorrent protocol" + _FAST_V2_EXTENSIONS + b"z" * 40)
        wire.hold()


class HaveFlood(Honest):
    """Says that it has pieces, over and over, and sends none."""

    def serve(self, wire: Wire) -> None:
        """Flood."""
        wire.shake(self.metainfo)
        wire.send(BITFIELD, bytes(-(-self._piece_count() // 8)))
        wire.send(UNCHOKE)
        flood = b"".join(struct.pack(">IBI", 5, HAVE, piece) for piece in range(self._piece_count())) * 500
        while True:
            wire.raw(flood)

    def _piece_count(self) -> int:
        return len(self.metainfo.v1_pieces) // 20


class FastFlood(Honest):
    """Allows pieces fast that do not exist, over and over."""

    def serve(self, wire: Wire) -> None:
        """Flood."""
        wire.shake(self.metainfo)
        wire.send(HAVE_ALL)
        flood = b"".join(struct.pack(">IBI", 5, ALLOWED_FAST, piece * 7919 % 2**31) for piece in range(10_000))
        while True:
            wire.raw(flood)


class KeepaliveFlood(Honest):
    """Sends keepalives without end."""

    def serve(self, wire: Wire) -> None:
        """Flood."""
        wire.shake(self.metainfo)
        wire.send(HAVE_ALL)
        wire.send(UNCHOKE)
        while True:
            wire.raw(bytes(4_000_000))


class HugeMessage(Honest):
    """Begins a message of two gigabytes, and goes on with it."""

    def serve(self, wire: Wire) -> None:
        """Announce much and send on."""
        wire.shake(self.metainfo)
        wire.send(HAVE_ALL)
        wire.raw(struct.pack(">IB", 2**31 - 1, PIECE))
        while True:
            wire.raw(bytes(1_000_000))


class BigBitfield(Honest):
    """Sends a bitfield of other pieces than the torrent has."""

    def serve(self, wire: Wire) -> None:
        """Claim too much."""
        wire.shake(self.metainfo)
        wire.send(BITFIELD, b"\xff" * 900_000)
        wire.hold()


class UnknownPiece(Honest):
    """Says that it has pieces that do not exist, and sends blocks of them."""

    def serve(self, wire: Wire) -> None:
        """Send what nobody asked for."""
        wire.shake(self.metainfo)
        wire.send(HAVE, struct.pack(">I", 2**31 - 1))
        wire.send(PIECE, struct.pack(">II", 2**31 - 1, 0) + bytes(16384))
        wire.hold()


class Unasked(Honest):
    """Sends blocks that were never asked for, over and over."""

    def serve(self, wire: Wire) -> None:
        """Send the first block again and again."""
        wire.shake(self.metainfo)
        wire.send(HAVE_ALL)
        while True:
            wire.send(PIECE, struct.pack(">II", 0, 0) + bytes(16384))


class LongBlocks(Honest):
    """Sends more than was asked for."""

    def answer(self, wire: Wire, piece: int, begin: int, length: int) -> None:
        """Send twice as much."""
        wire.send(PIECE, struct.pack(">II", piece, begin) + self.block(piece, begin, length) * 2)


class ShortBlocks(Honest):
    """Sends less than was asked for, as if it were all."""

    def answer(self, wire: Wire, piece: int, begin: int, length: int) -> None:
        """Send half."""
        wire.send(PIECE, struct.pack(">II", piece, begin) + self.block(piece, begin, length // 2))


class BentExtensions(Honest):
    """Sends extension handshakes that are no bencode, then metadata and peers that nobody asked for."""

    def serve(self, wire: Wire) -> None:
        """Send nonsense."""
        wire.shake(self.metainfo)
        wire.send(EXTENDED, b"\0" + b"l" * 900_000)
        wire.send(EXTENDED, b"\0d1:md6:ut_pexi1e11:ut_metadatai2ee13:metadata_sizei2147483647ee")
        wire.send(EXTENDED, b"\x01d5:added" + b"6000000:" + b"\x7f\0\0\1\0\x50" * 1000)
        wire.send(EXTENDED, b"\x02d8:msg_typei1e5:piecei0e10:total_sizei2147483647ee" + bytes(16384))
        wire.hold()


LIARS: tuple[type[Honest], ...] = (
    *(BadBlocksTrueHashes, BadBlocksBadHashes, BadBlocksNoHashes, TornHashes, ForeignHashes, OneBadPiece),
    *(Staller, StopsInABlock, Dripper, HangsUp, HangsUpAtOnce, Rejecter, Choker, Silent, NotBitTorrent, OtherTorrent),
    *(HaveFlood, FastFlood, KeepaliveFlood, HugeMessage, BigBitfield, UnknownPiece, Unasked, LongBlocks, ShortBlocks),
    BentExtensions,
)
