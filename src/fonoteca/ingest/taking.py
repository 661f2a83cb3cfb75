"""One file of a candidate, read once where a worker runs: to staging, into every hash, and examined while it is in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fonoteca.ingest.reading import copy_once
from fonoteca.model.audio import Examined, Protected
from fonoteca.model.corridor import CandidateFile
from fonoteca.model.errors import AudioError, SourceError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.rights import Kind
from fonoteca.ports import Staging

Verdict = Examined | Protected | AudioError
"""What an examination says of one file. An error is a value here, so that one bad file does not end its neighbours' turn."""

TAKE_TASK = "fonoteca.ingest:take_file"
"""`take_file`, as `Workers.run` names it."""

_HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class TakeSettings:
    """What a worker needs to take files. All of it pickles.

    examine: says what audio is, from its path in staging and its logical path. artwork_type: the media type that a file's
    first bytes show, None for what is no picture we take.
    """

    staging: Staging
    piece_bytes: int
    examine: Callable[[Path, str], Verdict]
    artwork_type: Callable[[bytes], str | None]


@dataclass(frozen=True, slots=True)
class Errand:
    """A file to take, and where to in staging."""

    file: CandidateFile
    path: Path
    kind: Kind


@dataclass(frozen=True, slots=True)
class Taken:
    """A file in staging. verdict: of audio; media_type: of artwork, None for what is no picture. Neither for an empty file."""

    hashes: FileHashes
    verdict: Verdict | None = None
    media_type: str | None = None


def take_file(settings: TakeSettings, errand: Errand) -> Taken | SourceError:
    """Return a source's file as it is in staging now, proved and examined; what the source did wrong is a value.

    Raises: StoreError when staging fails. Cost: one read, one write; memory 1 MiB and 52 B a piece, and the decoder's.
    """
    try:
        hashes, head = copy_once(errand.file, errand.path, settings.staging, settings.piece_bytes)
    except SourceError as error:
        return error
    if not hashes.file_bytes:
        return Taken(hashes)
    if errand.kind is Kind.ARTWORK:
        return Taken(hashes, media_type=settings.artwork_type(head[:_HEAD_BYTES]))
    return Taken(hashes, settings.examine(errand.path, errand.file.logical_path))
