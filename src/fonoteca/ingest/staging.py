"""From admitted candidates to staged versions: every byte of a source is read once, and everything in staging is proved.

Rules of order:
  1. without an `Admission` there is nothing to call;
  2. names are settled before a byte is read;
  3. bytes go to staging and to the hashes in the same pass, and are examined only from staging;
  4. one protected file refuses the whole item; an unsound one is left out, with its reason;
  5. whatever goes wrong with a candidate, its staging folder is gone, and its neighbours have their turn.
Files of several candidates are under way at once, on all workers; answers come in the order of the candidates.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fonoteca.ingest.taking import TAKE_TASK, Errand, Taken, TakeSettings, Verdict
from fonoteca.model.audio import Examined, Protected
from fonoteca.model.corridor import Candidate, CandidateFile, LeftOut, StagedFile, StagedVersion
from fonoteca.model.errors import AudioError, SourceError
from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Admission, Refusal
from fonoteca.ports import Staging, Workers

_RESERVED = {"metadata.json", "rights.json"}
"""Logical paths that every object has for itself."""

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


@dataclass(frozen=True, slots=True)
class IngestContext:
    """What ingest needs of the rooms next door and of the world.

    staging: where nothing waits for the disk will do: whoever stores what is staged makes it durable.
    examine: a verdict on a path in staging and a logical path. artwork_type: the media type that a file's first bytes show,
    None for what is no picture we take. Both run where the workers do.
    refuse_protected: makes the refusal of an item from its key, the protected file's logical path and the marker found.
    """

    staging: Staging
    piece_bytes: int
    workers: Workers
    examine: Callable[[Path, str], Verdict]
    artwork_type: Callable[[bytes], str | None]
    refuse_protected: Callable[[ItemKey, str, str], Refusal]


Staged = StagedVersion | Refusal | SourceError
"""What becomes of a candidate in ingest."""


def stage(
    candidate: Candidate,
    admission: Admission,
    context: IngestContext,
    advance: Callable[[int], None] = lambda _count: None,
) -> StagedVersion | Refusal:
    """Return the candidate's files in staging, proved and examined; or a refusal when one of them is protected.

    Raises: SourceError when the source fails, changes under our hands, or has no file that can be taken;
    StoreError when staging fails. Nothing stays in staging then.
    """
    (staged,) = stage_all([(candidate, admission)], context, advance)
    if isinstance(staged, SourceError):
        raise staged
    return staged


def stage_all(
    admitted: Iterable[tuple[Candidate, Admission]],
    context: IngestContext,
    advance: Callable[[int], None] = lambda _count: None,
) -> Iterator[Staged]:
    """Yield what becomes of each admitted candidate, in order; candidates are taken as workers become free.

    advance: is told of the bytes of each file that is in staging.
    Raises: StoreError when staging fails, and what `admitted` raises. Then, and when the iterator is dropped, nothing stays in
    staging but what was yielded. Cost: one read of each source; one decode of what is audio if `examine` decodes.
    """
    line = _Line(admitted, context)
    settings = TakeSettings(context.staging, context.piece_bytes, context.examine, context.artwork_type)
    answers = context.workers.run(TAKE_TASK, settings, line.errands())
    try:
        for answer in answers:
            if isinstance(answer, Taken):
                advance(answer.hashes.file_bytes)
            line.take(answer)
            yield from line.finished()
        yield from line.finished()
    finally:
        close = getattr(answers, "close", None)  # first: no worker may still write where we remove
        if close is not None:
            close()
        line.discard()


@dataclass(slots=True)
class _Job:
    """A candidate under way. files: those given to workers; taken: their answers, in the same order."""

    candidate: Candidate
    admission: Admission
    folder: Path
    left_out: list[LeftOut]
    files: list[Errand] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    given_out: bool = False
    error: SourceError | None = None
    answered: int = 0


class _Line:
    """Candidates under way, in their order: files go out at one end, and whole candidates come out at the other."""

    def __init__(self, admitted: Iterable[tuple[Candidate, Admission]], context: IngestContext) -> None:
        self._admitted = admitted
        self._context = context
        self._jobs: deque[_Job] = deque()

    def errands(self) -> Iterator[Errand]:
        """Yield the files to take, candidate by candidate. One that has failed already gives no more of them."""
        for ordinal, (candidate, admission) in enumerate(self._admitted):
            assert (candidate.item, candidate.kind) == (admission.item, admission.kind), "an admission is for one item and kind"
            takeable, left_out = _settle_names(candidate.files)
            name = hashlib.sha256(f"{admission.kind}:{admission.item}".encode()).hexdigest()[:24]
            folder = self._context.staging.folder(f"ingest-{ordinal:08d}-{name}")
            job = _Job(candidate, admission, folder, left_out)
            self._jobs.append(job)
            for number, file in enumerate(takeable, 1):
                if job.error is not None:
                    break
                extension = _EXTENSION.search(file.logical_path)
                path = folder / f"{number:06d}{extension[0].lower() if extension else ''}"  # the name in staging is ours
                job.files.append(Errand(file, path, admission.kind))
                job.given_out = number == len(takeable)
                yield job.files[-1]
            job.given_out = True

    def take(self, answer: Taken | SourceError) -> None:
        """Note the answer for the first file that waits for one."""
        job = next(job for job in self._jobs if job.answered < len(job.files))
        job.answered += 1
        if isinstance(answer, SourceError):
            job.error = job.error or answer
        else:
            job.taken.append(answer)

    def finished(self) -> Iterator[Staged]:
        """Yield the candidates at the head of the line whose files are all answered for."""
        while self._jobs and self._jobs[0].given_out and self._jobs[0].answered == len(self._jobs[0].files):
            job = self._jobs[0]
            staged = job.error or _examined(job, self._context)
            if not isinstance(staged, StagedVersion):
                self._context.staging.discard(job.folder)
            self._jobs.popleft()
            yield staged

    def discard(self) -> None:
        """Remove from staging what never became whole."""
        while self._jobs:
            self._context.staging.discard(self._jobs.popleft().folder)


def _examined(job: _Job, context: IngestContext) -> Staged:
    """Return what a candidate is, of which every file was taken: rights must not hold a protected file."""
    files: list[StagedFile] = []
    left_out = list(job.left_out)
    for errand, taken in zip(job.files, job.taken, strict=True):
        path = errand.file.logical_path
        match taken.verdict:
            case Protected(marker=marker):
                return context.refuse_protected(job.candidate.item, path, marker)
            case Examined(media_type=media_type, probe=probe, tags=tags):
                files.append(StagedFile(path, errand.path, taken.hashes, media_type, probe, tags))
            case AudioError(problem=problem, code=code):
                left_out.append(LeftOut(path, code.rsplit(".", 1)[-1], problem))
            case None if not taken.hashes.file_bytes:
                left_out.append(LeftOut(path, "empty", "the file has no bytes"))
            case None if taken.media_type is None:
                left_out.append(LeftOut(path, "unidentified", "its first bytes are of no picture format that is taken"))
            case None:
                files.append(StagedFile(path, errand.path, taken.hashes, taken.media_type))
    if not files:
        reasons = "; ".join(f"{f.logical_path}: {f.reason}" for f in left_out) or "it has none"
        remedy = "Offer at least one sound file of a supported kind."
        return SourceError(job.candidate.item, f"no file of it can be taken: {reasons}", remedy)
    everything_left = sorted({*job.candidate.left_out, *left_out}, key=lambda f: (f.logical_path, f.rule))
    return StagedVersion(job.candidate, job.admission, job.folder, tuple(files), tuple(everything_left))


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
