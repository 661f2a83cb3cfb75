"""Believing an edition that may lie: the client's half of TUF 1.0 (section 5), fed through `Fetch`, its state kept in `trust/`.

Rules of order, each step bounded in bytes:
  1. the root that is trusted leads to the next, one at a time, each signed by the keys of both; each is kept at once;
  2. the timestamp is signed by the root's keys and no older than the one seen; so is the snapshot that it names;
  3. the targets and the withdrawals are the versions that the snapshot names, signed by their keys;
  4. index.json and withdrawals.json have the digests that these say, and every file of the index the one that the targets say.
What is expired is refused, unless it is asked for as of whenever it was. python-tuf's `TrustedMetadataSet` judges each step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol

from tuf.api.exceptions import EqualVersionNumberError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import MetaFile, Targets
from tuf.api.serialization import DeserializationError
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from fonoteca.editions.index import INDEX, INDEX_BYTES_MAX, Index, TargetFile, parse_index
from fonoteca.editions.trust.roles import (
    ROOT_BYTES_MAX,
    ROOTS_MAX,
    SIGNED_AT,
    SNAPSHOT_BYTES_MAX,
    TARGETS_BYTES_MAX,
    TIMESTAMP,
    TIMESTAMP_BYTES_MAX,
    WITHDRAWALS,
    WITHDRAWALS_BYTES_MAX,
    Role,
    document_path,
    stamped_path,
)
from fonoteca.formats.instants import parse_instant
from fonoteca.model.errors import FonotecaError, FormatError, SourceMissing, TrustError, UsageError
from fonoteca.model.ids import Sha256

FetchRead = Callable[[str, int], bytes]
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_REMEDY = "Nothing was taken. Try again later, or follow another mirror of this archive."
_LIES = (RepositoryError, DeserializationError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What python-tuf raises for documents that are not what they should be; it lets a few bare ones through."""


class Kept(Protocol):
    """What a mirror has seen, by name: `N.root.json`, `timestamp.json`, `snapshot.json`."""

    def children(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all that is kept."""
        ...

    def size(self, key: str) -> int | None:
        """Return the length, or None when there is none."""
        ...

    def read(self, key: str) -> bytes:
        """Return the bytes."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Keep bytes, in place of what there was."""
        ...

    def delete(self, key: str) -> None:
        """Let go of bytes. Nothing there is no error."""
        ...


class Unkept:
    """`Kept` for a look that is to leave no trace."""

    def __init__(self) -> None:
        self._seen: dict[str, bytes] = {}

    def children(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all that was seen."""
        yield from self._seen

    def size(self, key: str) -> int | None:
        """Return the length, or None."""
        return len(self._seen[key]) if key in self._seen else None

    def read(self, key: str) -> bytes:
        """Return the bytes."""
        return self._seen[key]

    def write(self, key: str, content: bytes) -> None:
        """Keep bytes until this goes."""
        self._seen[key] = content

    def delete(self, key: str) -> None:
        """Let go of bytes."""
        self._seen.pop(key, None)


@dataclass(frozen=True, slots=True)
class Anchor:
    """How a mirror comes to its first root. root: its bytes, or sha256: its digest; neither: the first that the edition has."""

    root: bytes | None = None
    sha256: str = ""


FIRST_USE = Anchor()


@dataclass(frozen=True, slots=True)
class Asked:
    """How an edition is to be believed. as_of: expired metadata are taken, too. anchor: for a mirror that trusts no root yet.

    archive: the root name and piece length that it must have, None for any.
    """

    now: datetime
    as_of: bool = False
    anchor: Anchor = FIRST_USE
    archive: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class TrustedEdition:
    """What a mirror believes. targets: every file that is signed for, by path. withdrawals: the bytes of withdrawals.json.

    signed_at: of the timestamp. expires_at: when the first of the documents does. expired: whether one is.
    metadata: the signed files as they are, in the order in which a mirror puts them out, roots first and the timestamp last.
    first_use: whether the root was taken on trust in this very run.
    """

    index: Index
    targets: Mapping[str, TargetFile]
    withdrawals: bytes | None
    signed_at: datetime
    expires_at: datetime
    expired: bool
    root_version: int
    root_sha256: Sha256
    first_use: bool
    metadata: tuple[tuple[str, bytes], ...] = field(repr=False)


def believe(fetch_read: FetchRead, kept: Kept, asked: Asked, own_read: FetchRead | None = None) -> TrustedEdition:
    """Return the edition that somebody publishes, proved from the root that is trusted down to every file's digest.

    kept: what was seen before; it is written as soon as something newer is proved, so that nobody goes back behind it.
    own_read: reads one's own copy of an edition, which is asked first for what it may have already; nothing of it is believed.
    Raises: TrustError for what is not signed, too old, expired or not what was signed; SourceError when it cannot be had.
    """
    return _Believer(fetch_read, kept, asked, own_read).edition()


class _Believer:
    """One run of the client."""

    def __init__(self, fetch_read: FetchRead, kept: Kept, asked: Asked, own_read: FetchRead | None) -> None:
        self._fetch = fetch_read
        self._own = own_read
        self._first_use = not _newest_kept(kept)
        self._on_trust = self._first_use and asked.anchor == FIRST_USE
        self._kept = Unkept() if self._first_use else kept
        self._lasting = kept
        self._asked = asked
        self._signed: dict[str, bytes] = {}

    def edition(self) -> TrustedEdition:
        """Return what is believed. A first root is kept with all that it leads to, and not before that was found whole."""
        found = self._edition()
        if self._first_use:
            for name in sorted(self._kept.children(), key=lambda name: not name.endswith(".root.json")):
                self._lasting.write(name, self._kept.read(name))
        return found

    def _edition(self) -> TrustedEdition:
        known = self._root()
        self._timestamp(known)
        self._snapshot(known)
        with _judged("targets"):
            self._document(known, Role.TARGETS, "root")
            targets = known.targets
        withdrawals = self._withdrawals(known, targets)
        files = {path: _target_file(path, file.hashes, file.length) for path, file in targets.targets.items()}
        index = self._index(files)
        signed = [known.root, known.timestamp, known.snapshot, targets]
        signed += [known[Role.WITHDRAWALS]] if withdrawals is not None else []
        expires_at = min(each.expires for each in signed)
        return TrustedEdition(
            index=index,
            targets=files,
            withdrawals=withdrawals,
            signed_at=_signed_at(known.timestamp.unrecognized_fields, index),
            expires_at=expires_at,
            expired=expires_at <= self._asked.now,
            root_version=known.root.version,
            root_sha256=Sha256(sha256(self._signed[document_path(Role.ROOT, known.root.version)]).hexdigest()),
            first_use=self._on_trust,
            metadata=tuple(self._signed.items()),
        )

    # The root -------------------------------------------------------------------------------------------------------

    def _root(self) -> TrustedMetadataSet:
        """Return what is known once the newest root is."""
        if self._first_use and self._asked.anchor == FIRST_USE:
            self._take_own_roots()
        seen = _newest_kept(self._kept)
        content = self._kept.read(f"{seen}.root.json") if seen else self._first_root()
        known = self._begin(content)
        if not seen:
            self._kept.write(f"{known.root.version}.root.json", content)
        self._chain_before(known.root.version, content)
        self._sign_for(Role.ROOT, known.root.version, content)
        for version in range(known.root.version + 1, known.root.version + ROOTS_MAX + 1):
            path = document_path(Role.ROOT, version)
            try:
                content = self._fetch(path, ROOT_BYTES_MAX)
            except SourceMissing:
                self._check_anchor()
                return known
            with _judged(path):
                known.update_root(content)
            self._kept.write(f"{version}.root.json", content)
            self._sign_for(Role.ROOT, version, content)
        raise TrustError("root", f"more than {ROOTS_MAX} roots at once", "Run it again to go on from the last of them.")

    def _take_own_roots(self) -> None:
        """Begin with the roots of one's own edition, where there is one: an origin that follows its mirrors trusts itself."""
        if self._own is None:
            return
        for version in range(1, ROOTS_MAX):
            try:
                own = self._own(document_path(Role.ROOT, version), ROOT_BYTES_MAX)
            except FonotecaError:
                return
            self._kept.write(f"{version}.root.json", own)
            self._on_trust = False

    def _check_anchor(self) -> None:
        """Raise TrustError unless the root that a person named is one of those that led here."""
        anchor = self._asked.anchor
        named = sha256(anchor.root).hexdigest() if anchor.root is not None else anchor.sha256
        if named and named not in {sha256(content).hexdigest() for content in self._signed.values()}:
            remedy = "To begin anew with the one that you named, remove the folder trust/ of this mirror first."
            raise TrustError("root", f"none that this mirror trusts has the sha256 {named}", remedy)

    def _begin(self, content: bytes) -> TrustedMetadataSet:
        with _judged("root"):
            known = TrustedMetadataSet(content, EnvelopeType.METADATA)
        # The library asks the machine's clock; here time is an argument, and long ago nothing was expired.
        known.reference_time = _LONG_AGO if self._asked.as_of else self._asked.now
        return known

    def _first_root(self) -> bytes:
        """Return the root to begin with."""
        anchor = self._asked.anchor
        if anchor.root is not None:
            return anchor.root
        for version in range(1, ROOTS_MAX + 1):
            try:
                content = self._fetch(document_path(Role.ROOT, version), ROOT_BYTES_MAX)
            except SourceMissing:
                if anchor.sha256:
                    raise TrustError("root", f"none of this edition's has the sha256 {anchor.sha256}", _REMEDY) from None
                raise TrustError("root", "this edition is not signed", "Ask its operator to publish again. " + _REMEDY) from None
            if anchor.sha256 in ("", sha256(content).hexdigest()):
                return content
        raise TrustError("root", f"none of the first {ROOTS_MAX} has the sha256 {anchor.sha256}", _REMEDY)

    def _chain_before(self, version: int, content: bytes) -> None:
        """Take the roots before the one that this run begins with, for whoever follows this mirror from the first one on."""
        chain: TrustedMetadataSet | None = None
        for number in range(1, version):
            name, path = f"{number}.root.json", document_path(Role.ROOT, number)
            earlier = self._kept.read(name) if self._kept.size(name) is not None else self._fetch(path, ROOT_BYTES_MAX)
            with _judged(path):
                if chain is None:
                    chain = TrustedMetadataSet(earlier, EnvelopeType.METADATA)
                else:
                    chain.update_root(earlier)
            self._sign_for(Role.ROOT, number, earlier)
        if chain is not None:
            with _judged(document_path(Role.ROOT, version)):
                chain.update_root(content)

    # What the root's keys sign --------------------------------------------------------------------------------------

    def _timestamp(self, known: TrustedMetadataSet) -> None:
        """Load the newest timestamp: the one that is seen before is what it must not be older than."""
        if self._kept.size("timestamp.json") is not None:
            content = self._kept.read("timestamp.json")
            with suppress(*_LIES):  # of an older root: it binds no longer; or expired: a newer one still must go on from it
                known.update_timestamp(content)
            if "timestamp" in known:
                self._signed[TIMESTAMP] = content
        content = self._fetch(TIMESTAMP, TIMESTAMP_BYTES_MAX)
        version = known.timestamp.version if "timestamp" in known else None
        with _judged(TIMESTAMP):
            try:
                with suppress(EqualVersionNumberError):
                    known.update_timestamp(content)
            finally:  # one that is expired is seen all the same
                self._keep_newer(known, version, content)

    def _keep_newer(self, known: TrustedMetadataSet, before: int | None, content: bytes) -> None:
        """Keep a timestamp that is newer than the one before."""
        if "timestamp" in known and known.timestamp.version != before:
            self._kept.write("timestamp.json", content)
            self._signed[TIMESTAMP] = content

    def _snapshot(self, known: TrustedMetadataSet) -> None:
        meta = known.timestamp.snapshot_meta
        path = document_path(Role.SNAPSHOT, meta.version)
        if self._kept.size("snapshot.json") is not None:
            content = self._kept.read("snapshot.json")
            with suppress(*_LIES):  # as above
                known.update_snapshot(content, trusted=True)
        if "snapshot" in known and known.snapshot.version == meta.version:
            with _judged(path):
                known._check_final_snapshot()
            self._signed[path] = self._kept.read("snapshot.json")
            return
        content = self._read(path, meta, SNAPSHOT_BYTES_MAX)
        with _judged(path):
            known.update_snapshot(content)
        self._kept.write("snapshot.json", content)
        self._signed[path] = content

    def _document(self, known: TrustedMetadataSet, role: Role, delegator: str) -> None:
        """Load what the snapshot says of a role, from one's own copy where that has it."""
        meta = known.snapshot.meta.get(f"{role}.json")
        if meta is None:
            raise RepositoryError(f"the snapshot does not name {role}.json")
        path = document_path(role, meta.version)
        content = self._read(path, meta, TARGETS_BYTES_MAX)
        known.update_delegated_targets(content, role, delegator)
        self._signed[path] = content

    def _withdrawals(self, known: TrustedMetadataSet, targets: Targets) -> bytes | None:
        """Return the withdrawals that are in force, None in an edition that has no such role."""
        roles = targets.delegations.roles if targets.delegations else None
        if not roles or Role.WITHDRAWALS not in roles:
            return None
        with _judged(Role.WITHDRAWALS):
            self._document(known, Role.WITHDRAWALS, Role.TARGETS)
            file = known[Role.WITHDRAWALS].targets[WITHDRAWALS]  # type: ignore[attr-defined]
        return self._target(_target_file(WITHDRAWALS, file.hashes, file.length), WITHDRAWALS_BYTES_MAX)

    def _index(self, files: Mapping[str, TargetFile]) -> Index:
        """Return the index, every file of which is signed for."""
        if INDEX not in files:
            raise TrustError(INDEX, "the edition's targets do not name it", _REMEDY)
        index = parse_index(self._target(files[INDEX], INDEX_BYTES_MAX))
        heading = (index.heading.root_name, index.heading.piece_bytes)
        expected = self._asked.archive or heading
        if expected != heading:
            problem = "an edition of {!r} in pieces of {} bytes, but this folder mirrors {!r} in pieces of {}"
            problem = problem.format(*heading, *expected)
            raise TrustError(INDEX, problem, "Follow another archive in another folder.")
        for entry in index.entries:
            for file in entry.files:
                if files.get(file.path) != file:
                    raise TrustError(file.path, "the index says something else than the targets that are signed", _REMEDY)
        return index

    # Reading --------------------------------------------------------------------------------------------------------

    def _sign_for(self, role: Role, version: int, content: bytes) -> None:
        self._signed[document_path(role, version)] = content

    def _read(self, path: str, meta: MetaFile, bytes_max: int) -> bytes:
        """Return a document: one's own copy if it is the one, else theirs."""
        expected = meta.hashes.get("sha256") if meta.hashes else None
        if self._own is not None and expected is not None:
            with suppress(FonotecaError):
                own = self._own(path, meta.length or bytes_max)
                if sha256(own).hexdigest() == expected:
                    return own
        if meta.length is not None and meta.length > bytes_max:
            raise TrustError(path, f"said to have {meta.length} bytes, expected at most {bytes_max}", _REMEDY)
        return self._fetch(path, meta.length or bytes_max)

    def _target(self, file: TargetFile, bytes_max: int) -> bytes:
        """Return a target that changes under its name: it lies by its digest, too, beside those of other editions."""
        if file.file_bytes > bytes_max:
            raise TrustError(file.path, f"said to have {file.file_bytes} bytes, expected at most {bytes_max}", _REMEDY)
        path = stamped_path(file.path, file.sha256)
        if self._own is not None:
            with suppress(FonotecaError):
                own = self._own(path, file.file_bytes)
                if TargetFile.of(file.path, own) == file:
                    return own
        content = self._fetch(path, file.file_bytes)
        found = TargetFile.of(file.path, content)
        if found != file:
            problem = f"expected {file.file_bytes} bytes with sha256 {file.sha256}, found {found.file_bytes} with {found.sha256}"
            raise TrustError(path, problem, _REMEDY)
        return content


def kept_roots(kept: Kept) -> list[int]:
    """Return the versions of the roots that are trusted, in order."""
    found = (re.fullmatch(r"([1-9][0-9]{0,8})\.root\.json", name) for name in kept.children())
    return sorted(int(match[1]) for match in found if match)


def _newest_kept(kept: Kept) -> int:
    """Return the version of the newest root that is trusted, 0 for none."""
    return max(kept_roots(kept), default=0)


def _target_file(path: str, hashes: Mapping[str, str], length: int) -> TargetFile:
    """Return a target as the index has it. Raises: TrustError for one that is signed for by another digest than sha256."""
    try:
        return TargetFile(path, length, Sha256(hashes.get("sha256", "")))
    except FonotecaError as error:
        raise TrustError(path, f"signed for without a sha256: {error.problem}", _REMEDY) from None


def _signed_at(fields: Mapping[str, Any], index: Index) -> datetime:
    """Return when the timestamp was signed; other tools than ours do not say, and then it is when the edition was made."""
    if SIGNED_AT not in fields:
        return index.published_at
    try:
        return parse_instant(fields[SIGNED_AT])
    except (FormatError, UsageError, ValueError, TypeError) as error:
        raise TrustError(TIMESTAMP, f"signed at no instant: {error}", _REMEDY) from None


@contextmanager
def _judged(subject: str) -> Iterator[None]:
    """Turn what python-tuf says of a document into TrustError, in a sentence."""
    try:
        yield
    except ExpiredMetadataError as error:
        remedy = "Follow a mirror that is up to date; `--as-of` takes the newest edition of an archive whose origin is gone."
        raise TrustError(subject, f"the edition is expired: {error}", f"Nothing was taken. {remedy}") from None
    except _LIES as error:
        raise TrustError(subject, str(error) or type(error).__name__, _REMEDY) from None
