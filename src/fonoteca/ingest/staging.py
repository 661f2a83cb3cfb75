"""From an admitted candidate to a staged version: every byte of the source is read once, and everything in staging is proved.

Rules of order:
  1. without an `Admission` there is nothing to call;
  2. names are settled before a byte is read;
  3. bytes go to staging and to the hashes in the same pass, and are examined only from staging;
  4. one protected file refuses the whole item; an unsound one is left out, with its reason;
  5. whatever goes wrong, the staging folder is gone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteca.ingest.reading import copy_once
from fonoteca.model.audio import Examined, Protected
from fonoteca.model.corridor import Candidate, CandidateFile, LeftOut, StagedFile, StagedVersion
from fonoteca.model.errors import AudioError, SourceError
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Admission, Kind, Refusal
from fonoteca.ports import Staging

Verdict = Examined | Protected | AudioError
"""What an examination says of one file. An error is a value here, so that one bad file does not end its neighbours' turn."""

_RESERVED = {"metadata.json", "rights.json"}
"""Logical paths that every object has for itself."""

_HEAD_BYTES = 64
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


@dataclass(frozen=True, slots=True)
class IngestContext:
    """What ingest needs of the rooms next door.

    examine_all: yields a verdict for each (path in staging, logical path), in their order; it may work in parallel.
    artwork_type: the media type that a file's first bytes show, None for what is no picture we take.
    refuse_protected: makes the refusal of an item from its key, the protected file's logical path and the marker found.
    """

    staging: Staging
    piece_bytes: int
    examine_all: Callable[[Sequence[tuple[Path, str]]], Iterator[Verdict]]
    artwork_type: Callable[[bytes], str | None]
    refuse_protected: Callable[[ItemKey, str, str], Refusal]


@dataclass(frozen=True, slots=True)
class _Copied:
    """A file of the candidate, in staging. head: its first bytes."""

    file: CandidateFile
    path: Path
    hashes: FileHashes
    head: bytes


def stage(
    candidate: Candidate,
    admission: Admission,
    context: IngestContext,
    advance: Callable[[int], None] = lambda _count: None,
) -> StagedVersion | Refusal:
    """Return the candidate's files in staging, proved and examined; or a refusal when one of them is protected.

    advance: is told of bytes as they are read.
    Raises: SourceError when the source fails, changes under our hands, or has no file that can be taken;
    StoreError when staging fails. Nothing stays in staging then.
    Cost: one read of the source; one decode of what is audio. Memory: 1 MiB, and 52 B a piece.
    """
    assert (candidate.item, candidate.kind) == (admission.item, admission.kind), "an admission is for one item and kind"
    name = hashlib.sha256(f"{admission.kind}:{admission.item}".encode()).hexdigest()[:32]
    folder = context.staging.folder(f"ingest-{name}")
    try:
        staged = _stage(candidate, admission, context, _Target(folder, advance))
    except BaseException:
        context.staging.discard(folder)
        raise
    if isinstance(staged, Refusal):
        context.staging.discard(folder)
    return staged


@dataclass(frozen=True, slots=True)
class _Target:
    """Where copies go, and who is told of each byte."""

    folder: Path
    advance: Callable[[int], None]


def _stage(candidate: Candidate, admission: Admission, context: IngestContext, target: _Target) -> StagedVersion | Refusal:
    """Return the staged version; the folder is the caller's to discard."""
    takeable, left_out = _settle_names(candidate.files)
    copied = []
    for ordinal, file in enumerate(takeable, 1):
        one = _copy(ordinal, file, context, target)
        if one.hashes.file_bytes:
            copied.append(one)
        else:
            left_out.append(LeftOut(file.logical_path, "empty", "the file has no bytes"))
    examined = _examine(candidate.item, admission.kind, copied, context)
    if isinstance(examined, Refusal):
        return examined
    files = tuple(file for file in examined if isinstance(file, StagedFile))
    left_out += [file for file in examined if isinstance(file, LeftOut)]
    if not files:
        raise SourceError(
            candidate.item,
            "no file of it can be taken: " + ("; ".join(f"{f.logical_path}: {f.reason}" for f in left_out) or "it has none"),
            "Offer at least one sound file of a supported kind.",
        )
    everything_left = sorted({*candidate.left_out, *left_out}, key=lambda f: (f.logical_path, f.rule))
    return StagedVersion(candidate, admission, target.folder, files, tuple(everything_left))


def _settle_names(files: Sequence[CandidateFile]) -> tuple[list[CandidateFile], list[LeftOut]]:
    """Return the files whose names can live together in one object, in order of name, and the others with reasons.

    OCFL 1.1 section 3.5.3.1, E095: logical paths are unique, and none is the folder of another.
    """
    taken: dict[str, CandidateFile] = {}
    folders: set[str] = set()
    left_out = []
    for file in sorted(files, key=lambda f: f.logical_path):
        parts = file.logical_path.split("/")
        above = {"/".join(parts[:end]) for end in range(1, len(parts))}
        reason = ""
        if file.logical_path in _RESERVED:
            reason = "the archive itself writes a file of this name"
        elif file.logical_path in taken:
            reason = "the item has another file of this name"
        elif above & (taken.keys() | _RESERVED) or file.logical_path in folders:
            reason = "its name is a file's and a folder's at once"
        if reason:
            left_out.append(LeftOut(file.logical_path, "name", reason))
            continue
        taken[file.logical_path] = file
        folders |= above
    return list(taken.values()), left_out


def _copy(ordinal: int, file: CandidateFile, context: IngestContext, target: _Target) -> _Copied:
    """Return a file after its one reading. The name in staging is ours, but for a plain extension."""
    extension = _EXTENSION.search(file.logical_path)
    path = target.folder / f"{ordinal:06d}{extension[0].lower() if extension else ''}"
    hashes, head = copy_once(file, path, context.staging, context.piece_bytes, target.advance)
    return _Copied(file, path, hashes, head[:_HEAD_BYTES])


def _examine(item: ItemKey, kind: Kind, copied: Sequence[_Copied], context: IngestContext) -> list[StagedFile | LeftOut] | Refusal:
    """Return what each file is, in order; or a refusal when one is protected: rights must not hold a protected file."""
    if kind is Kind.ARTWORK:
        return [_picture(one, context.artwork_type(one.head)) for one in copied]
    found: list[StagedFile | LeftOut] = []
    verdicts = context.examine_all([(one.path, one.file.logical_path) for one in copied])
    for one, verdict in zip(copied, verdicts, strict=True):
        path = one.file.logical_path
        match verdict:
            case Protected(marker=marker):
                return context.refuse_protected(item, path, marker)
            case Examined(media_type=media_type, probe=probe, tags=tags):
                found.append(StagedFile(path, one.path, one.hashes, media_type, probe, tags))
            case AudioError(problem=problem):
                found.append(LeftOut(path, verdict.code.rsplit(".", 1)[-1], problem))
    return found


def _picture(one: _Copied, media_type: str | None) -> StagedFile | LeftOut:
    """Return a picture as staged, or left out when its bytes are no picture that we know."""
    if media_type is None:
        return LeftOut(one.file.logical_path, "unidentified", "its first bytes are of no picture format that is taken")
    return StagedFile(one.file.logical_path, one.path, one.hashes, media_type)
