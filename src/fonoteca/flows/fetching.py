"""Fetching: what rights have admitted comes from elsewhere, several items at once, and rights are asked again when it is here.

Rules of order, kept for every candidate:
  1. only what is admitted is asked for;
  2. when all its files are here and proved, its source is asked again what it says of the rights: a licence that changed meanwhile
     is not the one that was admitted, and a person decides;
  3. files stay in staging until their outcome is told, so that a run that is killed fetches none of them twice. Those of an item
     that failed stay for KEPT_FOR, for a run that tries it again; not where its host has refused it, or has it no more.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from fonoteca.model.corridor import Candidate, CandidateFile
from fonoteca.model.errors import FonotecaError, SourceError, SourceMissing, SourceRefused, TrustError
from fonoteca.model.ids import ObjectId
from fonoteca.model.manners import Download
from fonoteca.model.rights import Admission, Hold, Policy, Refusal, Scheme
from fonoteca.ports import Clock, Staging, Web
from fonoteca.rights import decide
from fonoteca.sources.remote import fetched_file

FETCH_PREFIX = "fetch-"
"""How staging folders begin that hold what is fetched: they outlive a run."""
AHEAD_MAX = 16
"""Candidates that are fetched while others are staged."""
AHEAD_BYTES_MAX = 8 << 30
"""And their bytes: what waits in staging is no more than this, or one candidate that is larger by itself."""
UNSTATED_BYTES = 256 << 20
"""What a file counts as whose length nobody has stated: a long movement in 24 bits. Manners bound what it really may have."""
KEPT_FOR = timedelta(days=30)
"""For how long parts wait for a run that goes on with them."""
LANES_MAX = 16
"""Files under way at once, whatever their hosts; how many of one host is for the manners."""
LICENCE_CHANGED = "licence-changed"
_EXTENSION_CHARS_MAX = 9
_NOTE = "object"


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told, from any thread: `came` of bytes as they come, `arrived` of candidates whose files are all here."""

    came: Callable[[int], None] = lambda _count: None
    arrived: Callable[[Candidate], None] = lambda _candidate: None


NOBODY = Watch()


@dataclass(frozen=True, slots=True)
class FetchRooms:
    """What fetching needs."""

    web: Web
    staging: Staging
    policy: Policy
    clock: Clock
    watch: Watch = NOBODY


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A candidate that was admitted and cannot be had as it was. verdict: of rights, once its files were here; or the error."""

    candidate: Candidate
    reason: Refusal | Hold | SourceError


Fetched = tuple[Candidate, Admission] | Spoilt


class Fetching:
    """Fetches candidates in order. Use it as a context: what is under way ends with it."""

    def __init__(self, rooms: FetchRooms) -> None:
        self._rooms = rooms
        self._items = ThreadPoolExecutor(AHEAD_MAX, thread_name_prefix="items from elsewhere")
        self._files = ThreadPoolExecutor(LANES_MAX, thread_name_prefix="files from elsewhere")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give up what was not begun, and wait for the rest."""
        self._items.shutdown(wait=False, cancel_futures=True)
        self._files.shutdown(wait=True, cancel_futures=True)
        self._items.shutdown(wait=True)

    def fetched(self, admitted: Iterable[tuple[Candidate, Admission]]) -> Iterator[Fetched]:
        """Yield the candidates in order, each with files that can be opened, or why there are none. Those at hand pass through."""
        line: deque[tuple[Future[Fetched] | Fetched, int]] = deque()
        for candidate, admission in admitted:
            more_bytes = promised_bytes(candidate)
            while line and sum(each for _, each in line) + more_bytes > AHEAD_BYTES_MAX:
                yield _of(line.popleft()[0])
            if any(file.elsewhere for file in candidate.files):
                line.append((self._items.submit(self._fetch, candidate, admission), more_bytes))
            else:
                line.append(((candidate, admission), 0))
            while line and (len(line) >= AHEAD_MAX or _is_here(line[0][0])):
                yield _of(line.popleft()[0])
        while line:
            yield _of(line.popleft()[0])

    def discard(self, candidate: Candidate) -> None:
        """Remove what was fetched of a candidate, whole or in part."""
        if any(file.elsewhere for file in candidate.files):
            self._rooms.staging.discard(self._rooms.staging.kept_folder(folder_name(candidate)))

    def _folder(self, candidate: Candidate) -> Path:
        """Return the folder for what is fetched of a candidate, with the object that it is for in it."""
        folder = self._rooms.staging.kept_folder(folder_name(candidate))
        note = folder / _NOTE
        if not note.exists():
            with self._rooms.staging.unsynced.writer(note) as target:
                target.write(ObjectId.of(candidate.kind, candidate.item).encode())
        return folder

    def _fetch(self, candidate: Candidate, admission: Admission) -> Fetched:
        try:
            folder = self._folder(candidate)
            files = [self._files.submit(self._fetch_file, folder, file, candidate) for file in candidate.files]
            here = [each.result() for each in files]
            self._rooms.watch.arrived(candidate)
            whole = replace(candidate, files=tuple(file for file, _ in here), usage=_joined(candidate.usage, *(u for _, u in here)))
            return self._ask_again(whole, admission)
        except SourceError as error:
            return Spoilt(candidate, error)
        except TrustError as error:  # what one item leads to is that item's matter
            return Spoilt(candidate, SourceRefused(error.subject, error.problem, error.remedy))

    def _fetch_file(self, folder: Path, file: CandidateFile, candidate: Candidate) -> tuple[CandidateFile, str]:
        """Return a file that can be opened, and what is said of its use where it was."""
        if file.elsewhere is None:
            return file, ""
        path = folder / f"{hashlib.sha256(file.elsewhere.url.encode()).hexdigest()[:24]}{_extension(file.logical_path)}"
        wanted = Download(file.elsewhere.url, path, file.file_bytes, file.elsewhere.digests)
        done = self._rooms.web.download(wanted, self._rooms.watch.came)
        return fetched_file(file, path, f"{candidate.item}: {file.logical_path}"), done.usage

    def _ask_again(self, candidate: Candidate, admission: Admission) -> Fetched:
        """Return a candidate that is here with its admission, or why it is not as it was admitted, by what its source says now."""
        ruled = tuple(each for each in candidate.evidence if each.scheme is Scheme.DECISION)
        said = candidate.evidence if candidate.restate is None else (*candidate.restate(), *ruled)
        now = replace(candidate, evidence=said)
        decision = decide(now, self._rooms.policy, self._rooms.clock.now())
        if not isinstance(decision, Admission):
            return Spoilt(now, decision)
        if decision.licence.uri != admission.licence.uri:
            changed = (
                f"its source said {admission.licence.name} when it was listed, and {decision.licence.name} once it was fetched"
            )
            return Spoilt(now, Hold(candidate.item, LICENCE_CHANGED, changed, "Under which licence is it held?"))
        return now, decision


def _joined(*usages: str) -> str:
    return ", ".join(dict.fromkeys(each for each in usages if each))


def sweep_fetched(staging: Staging, is_held: Callable[[ObjectId], bool]) -> None:
    """Remove what a run that was killed fetched for objects that it then held, and had no time left to remove."""
    for name in [each for each in staging.left() if each.startswith(FETCH_PREFIX)]:
        folder = staging.kept_folder(name)
        note = folder / _NOTE
        if note.is_file() and is_held(ObjectId(note.read_text(encoding="utf-8"))):
            staging.discard(folder)


def folder_name(candidate: Candidate) -> str:
    """Return the name of the staging folder for what is fetched of a candidate."""
    return f"{FETCH_PREFIX}{hashlib.sha256(f'{candidate.kind}:{candidate.item}'.encode()).hexdigest()[:24]}"


def promised_bytes(candidate: Candidate) -> int:
    """Return how much a candidate that is elsewhere may take of staging: no more than it states, where it does."""
    return sum(UNSTATED_BYTES if each.file_bytes is None else each.file_bytes for each in candidate.files if each.elsewhere)


def sweep_old(staging: Staging, now: datetime) -> None:
    """Remove what was fetched, in part or whole, of items that failed, and that no run went on with for KEPT_FOR."""
    for name in [each for each in staging.left() if each.startswith(FETCH_PREFIX)]:
        folder = staging.kept_folder(name)
        touched = max((each.stat().st_mtime for each in (folder, *folder.iterdir())), default=0.0)
        if now - datetime.fromtimestamp(touched, UTC) > KEPT_FOR:
            staging.discard(folder)


def is_wanted_again(error: FonotecaError) -> bool:
    """Whether what was fetched of a failed item is of use to a later run: not where nobody will ask for it again."""
    return not isinstance(error, SourceRefused | SourceMissing)


def _is_here(one: Future[Fetched] | Fetched) -> bool:
    return not isinstance(one, Future) or one.done()


def _of(one: Future[Fetched] | Fetched) -> Fetched:
    return one.result() if isinstance(one, Future) else one


def _extension(name: str) -> str:
    extension = os.path.splitext(name)[1].lower()
    plain = extension.isascii() and extension[1:].isalnum() and len(extension) <= _EXTENSION_CHARS_MAX
    return extension if plain else ""
