"""The rules that torrent files are held to, and what a finding is. The reader and the checker share them.

A rule is broken in one of three ways. What is malformed is no torrent. What misleads would make clients write other files
than the torrent seems to say, or work without end. Both are refused. What is unwise is legal, and only told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fonoteca.model.errors import FormatError, TrustError

KEPT_OF_A_CODE_MAX = 50
"""Findings of one code beyond this many are counted only: a list of 200,000 bad paths needs no 200,000 sentences."""

SHOWN_CHARACTERS = 80
"""How much of a found value a sentence quotes."""


class Level(StrEnum):
    """How a rule is broken."""

    MALFORMED = "malformed"
    MISLEADING = "misleading"
    UNWISE = "unwise"


_MALFORMED: Mapping[str, str] = {
    "bencode.depth": "containers are nested at most 32 deep",
    "bencode.dictionary": "a torrent is a dictionary (BEP 3)",
    "bencode.integer": "integers fit 64 bits and have no leading zeros (BEP 3)",
    "bencode.key": "keys of dictionaries are strings (BEP 3)",
    "bencode.length": "strings begin with their length, without leading zeros (BEP 3)",
    "bencode.order": "keys of a dictionary ascend as raw bytes, each once (BEP 3)",
    "bencode.short": "no string ends after the file does",
    "bencode.tokens": "there are at most 3,000,000 strings, integers and containers",
    "bencode.trailing": "nothing follows the torrent's dictionary",
    "bencode.value": "each value is a string, an integer, a list or a dictionary (BEP 3)",
    "field.missing": "each half has the fields that its BEP names",
    "field.type": "each field has the type that its BEP names",
    "files.none": "there is at least one file that is not empty",
    "link.target": "a link says what it links to (BEP 47)",
    "piece.length": "the piece length of a torrent with a v2 half is a power of two and at least 16 KiB (BEP 52)",
    "private.value": "private, where it is said, is 0 or 1 (BEP 27)",
    "root.length": "a file with bytes has a pieces root of 32 bytes, an empty one has none (BEP 52)",
    "tree.empty": "no folder of the file tree is empty",
    "url.count": "a tier of trackers and the web seeds are at most 1,000 URLs, each of at most 2,000 bytes",
    "version.unknown": "a torrent is v1, or of meta version 2 with a file tree (BEP 52)",
}

_MISLEADING: Mapping[str, str] = {
    "file.length": "no length is negative or above 1 PiB, of one file or of all",
    "files.many": "there are at most 200,000 files",
    "halves.files": "both halves list the same files (BEP 52)",
    "halves.lengths": "both halves say the same lengths (BEP 52)",
    "halves.order": "both halves list the files in the same order (BEP 52)",
    "layer.hash": "each piece layer hashes to its pieces root (BEP 52)",
    "layer.length": "each piece layer has one hash a piece (BEP 52)",
    "layer.missing": "each file longer than a piece has a piece layer (BEP 52)",
    "layer.superfluous": "no piece layer belongs to no file longer than a piece (BEP 52)",
    "link.inside": "no file is a symbolic link: clients make links, copies or empty files of them",
    "link.out": "no link leads out of the torrent",
    "name.characters": "no name has characters that clients rewrite or that steer the writing",
    "name.device": "no name is a device on Windows",
    "name.drive": "no name begins with the letter of a drive, or is a share on another machine",
    "name.end": "no name ends with a space or a full stop, which Windows drops",
    "name.long": "names have at most 240 bytes: libtorrent cuts longer ones",
    "name.pad": "no name says that its file is padding, unless it is",
    "name.second": "name.utf-8 and path.utf-8, which some clients prefer, say what name and path say",
    "name.separator": "no name has a separator in it",
    "name.traversal": "no name is empty, . or ..",
    "name.utf8": "names are UTF-8: each client guesses another encoding",
    "pad.length": "a pad fills its file up to the next piece, and no more (BEP 47, BEP 52)",
    "pad.missing": "in a hybrid, each file of the v1 half starts a piece (BEP 52)",
    "pad.name": "a pad is named .pad/NUMBER, where old clients write no payload over",
    "pad.tree": "the v2 half has no pads (BEP 52)",
    "path.absolute": "no path is absolute",
    "path.clash": "no two paths are one after case folding and normalisation",
    "path.deep": "paths have at most 20 parts",
    "path.folder": "no path is a file and a folder",
    "path.long": "paths have at most 1,024 bytes, and 64 MiB together",
    "path.pad": "no payload lies in the folder of pads",
    "piece.bounds": "the piece length is from 1 byte to 512 MiB",
    "pieces.length": "the v1 half has one hash of 20 bytes a piece (BEP 3)",
    "pieces.many": "there are at most 2,097,152 pieces",
    "root.shared": "files with one pieces root have one length",
    "torrent.long": "a torrent file has at most 256 MiB",
    "url.form": "URLs are text without spaces and control characters, with a host and without a password",
    "url.scheme": "trackers are http, https, udp, ws or wss; web seeds http, https or ftp",
}

_UNWISE: Mapping[str, str] = {
    "encoding.other": "an encoding other than UTF-8 is said: clients that heed it read other names",
    "file.executable": "a file is to be made executable",
    "layer.absent": "there is no field for piece layers; BEP 52 has it even where it is empty",
    "md5.used": "MD5 sums prove nothing, and clients ignore them",
    "piece.large": "pieces above 16 MiB: a flipped bit costs as much",
    "piece.odd": "a v1 piece length that is no power of two can have no v2 half",
    "piece.small": "a v1 piece length below 16 KiB is less than what peers ask for at a time",
    "private.set": "a private torrent is found by its trackers alone: when they are gone, nobody finds its peers",
    "torrent.large": "above 10 MB, libtorrent's clients refuse a torrent file unless they are told otherwise",
    "tracker.plain": "a tracker over http: who listens on the way sees who takes what, and may answer in its place",
    "tree.single": "a v2 torrent is a folder with one file: libtorrent takes it for a file without a folder",
    "url.local": "a URL leads into the network of whoever opens the torrent",
    "version.v1": "there is no v2 half: pieces are proved by SHA-1 alone, for which collisions are known",
    "version.v2": "there is no v1 half: clients without BEP 52 cannot take it",
    "webseed.ftp": "a web seed over ftp: most clients no longer speak it",
    "webseed.old": "a web seed of BEP 17, which wants a program on the server: few clients speak it",
    "webseed.plain": "a web seed over http: who listens on the way sees who takes what",
}

RULES: Mapping[str, tuple[Level, str]] = {
    **{code: (Level.MALFORMED, rule) for code, rule in _MALFORMED.items()},
    **{code: (Level.MISLEADING, rule) for code, rule in _MISLEADING.items()},
    **{code: (Level.UNWISE, rule) for code, rule in _UNWISE.items()},
}
"""Each code with its level and the rule that is broken, as a sentence that is true of a good torrent (or of an unwise one)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a torrent breaks. place: a field, a path or an offset, "" for the whole. sentence: expected against found."""

    code: str
    place: str
    sentence: str

    @property
    def level(self) -> Level:
        """How the rule is broken."""
        return RULES[self.code][0]

    @property
    def refused(self) -> bool:
        """Whether a torrent with this finding is not to be used."""
        return self.level is not Level.UNWISE

    def as_error(self, subject: str) -> FormatError | TrustError:
        """Return the error that a reader raises for it."""
        problem = f"{self.place}: {self.sentence}" if self.place else self.sentence
        kind = FormatError if self.level is Level.MALFORMED else TrustError
        return kind(subject, problem)


class Findings:
    """What is found in one torrent, in order. strict: raise the first finding that makes it refused, as a reader does."""

    def __init__(self, subject: str = "torrent", *, strict: bool = False) -> None:
        self._subject = subject
        self._strict = strict
        self._kept: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self._refused = False

    def add(self, code: str, place: str, sentence: str) -> None:
        """Take a finding. Raises: FormatError or TrustError when strict and it is one to refuse for."""
        finding = Finding(code, place, sentence)
        if finding.refused:
            self._refused = True
            if self._strict:
                raise finding.as_error(self._subject)
        self._counts[code] += 1
        if self._counts[code] <= KEPT_OF_A_CODE_MAX:
            self._kept.append(finding)

    @property
    def refused(self) -> bool:
        """Whether anything was found that makes the torrent refused."""
        return self._refused

    @property
    def kept(self) -> tuple[Finding, ...]:
        """The findings, at most `KEPT_OF_A_CODE_MAX` of each code."""
        return tuple(self._kept)

    @property
    def counts(self) -> Mapping[str, int]:
        """Code to how often it was found."""
        return dict(self._counts)


def shown(value: bytes | str) -> str:
    """Return a found value as a sentence quotes it: escaped and cut."""
    text = repr(value[:SHOWN_CHARACTERS])
    return text if len(value) <= SHOWN_CHARACTERS else f"{text}..."
