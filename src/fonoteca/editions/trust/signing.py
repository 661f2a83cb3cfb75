"""Signing an edition: which documents are new, who signs them with the keys that are here, and in which order they are written.

Rules of order:
  1. a new version of targets, withdrawals and snapshot lies beside the old ones, and nothing names it yet;
  2. timestamp.json names them: with it the edition is out;
  3. a new root is signed by its keys and by those of the root before it, and what is out then is signed for both, so that a
     crash between the two leaves an edition that is good by either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from securesystemslib.signer import Key
from tuf.api import metadata as tuf
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    Targets,
    Timestamp,
    VerificationResult,
)

from fonoteca.editions.index import TargetFile
from fonoteca.editions.trust.changes import ID_SHOWN, Change, changed_delegations, changed_root
from fonoteca.editions.trust.keys import Keyring
from fonoteca.editions.trust.roles import SIGNED_AT, WITHDRAWALS, Role, document_path
from fonoteca.editions.trust.standing import Standing, parse_document, serialized
from fonoteca.formats.instants import instant
from fonoteca.model.errors import UsageError
from fonoteca.model.settings import SigningSettings

_OF_ROOT = (Role.ROOT, Role.TARGETS, Role.SNAPSHOT, Role.TIMESTAMP)
Written = tuple[tuple[str, bytes], ...]
"""Files below the edition's folder, in the order in which they are to be written."""


@dataclass(frozen=True, slots=True)
class Content:
    """What an edition binds. files: all targets but withdrawals.json, whose bytes are `withdrawals`.

    after: where nothing is out, the versions of what is signed begin after this.
    """

    files: tuple[TargetFile, ...]
    withdrawals: bytes
    after: int = 0

    @property
    def withdrawals_file(self) -> TargetFile:
        """The file of the withdrawals."""
        return TargetFile.of(WITHDRAWALS, self.withdrawals)


@dataclass(frozen=True, slots=True)
class Lack:
    """A document that has not enough signatures. missing: how many. key_ids: who may still sign."""

    role: Role
    missing: int
    key_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be signed by those roles whose keys may be elsewhere. A document that stands is as it was.

    before: the root that is out, None before there is one. root: the one to be. after: as `Content` has it.
    """

    before: Metadata[Root] | None
    root: Metadata[Root]
    targets: Metadata[Targets]
    withdrawals: Metadata[Targets]
    after: int = 0

    @property
    def rooted_anew(self) -> bool:
        """Whether there is a new root."""
        return self.root is not self.before

    def retired(self, standing: Standing | None) -> set[str]:
        """Return the keys that no role has any more. standing: what was out before."""
        if standing is None or self.before is None:
            return set()
        delegations = (each.signed.delegations for each in (standing.targets, self.targets))
        before, after = (set(each.keys) if each else set() for each in delegations)
        return (before | set(self.before.signed.keys)) - (after | set(self.root.signed.keys))

    def lacks(self) -> list[Lack]:
        """Return which documents have not enough signatures."""
        found: list[Lack] = []
        root = self.root.signed
        if self.rooted_anew:
            previous = self.before.signed if self.before else None
            result = root.get_root_verification_result(previous, self.root.signed_bytes, self.root.signatures)
            for part in (result.first, result.second):
                found += _lack(Role.ROOT, part)
        found += _lack(Role.TARGETS, _verdict(root, Role.TARGETS, self.targets))
        found += _lack(Role.WITHDRAWALS, _verdict(self.targets.signed, Role.WITHDRAWALS, self.withdrawals))
        return list(dict.fromkeys(found))


def is_signed(targets: Metadata[Targets], metadata: Mapping[str, bytes], root_version: int) -> bool:
    """Return whether targets are signed by enough keys of a root. metadata: has the root, believed, by its path."""
    path = document_path(Role.ROOT, root_version)
    return bool(_verdict(parse_document(path, metadata[path], Root).signed, Role.TARGETS, targets))


def _verdict(delegator: Root | Targets, role: Role, document: Metadata[Any]) -> VerificationResult:
    return delegator.get_verification_result(role, document.signed_bytes, document.signatures)


def _lack(role: Role, result: VerificationResult) -> list[Lack]:
    return [] if result.verified else [Lack(role, result.missing, tuple(sorted(result.unsigned)))]


class Signatory:
    """Signs with the keys that are here. lives: for how long."""

    def __init__(self, keyring: Keyring, lives: SigningSettings) -> None:
        self.keyring = keyring
        self._lives = {
            Role.ROOT: timedelta(days=lives.root_days),
            Role.TARGETS: timedelta(days=lives.targets_days),
            Role.WITHDRAWALS: timedelta(days=lives.withdrawals_days),
            Role.SNAPSHOT: timedelta(days=lives.snapshot_days),
            Role.TIMESTAMP: timedelta(days=lives.timestamp_days),
        }

    def first_root(self, now: datetime) -> Metadata[Root]:
        """Return the root of an archive that has none, which names the keys that are here; missing ones are made."""
        self.keyring.make_missing()
        root = Root(version=1, expires=self._expiry(Role.ROOT, now), consistent_snapshot=True)
        for role in _OF_ROOT:
            for key in self.keyring.public(role):
                root.add_key(key, role)
        document = Metadata(root)
        self._sign(document, root.roles[Role.ROOT].keyids)
        return document

    def draft(
        self,
        before: Metadata[Root] | None,
        standing: Standing | None,
        content: Content,
        now: datetime,
        change: Change | None = None,
    ) -> Draft:
        """Return what is to be out, signed by the keys that are here.

        before: the root that is out, None before the first. standing: the rest that is; somebody else's, where there is no root.
        What is past the half of its life is signed anew where the keys for that are here and take no passphrase.
        Raises: UsageError for a change that cannot be.
        """
        root = self.first_root(now) if before is None else self._next_root(before, now, change)
        delegation = (standing.targets.signed.delegations if standing and before else None) or self._delegation()
        if change is not None and not change.of_root:
            delegation = changed_delegations(delegation, change)
        wanted = {file.path: _tuf_file(file) for file in content.files}
        targets = self._targets(Draft(before, root, *_blank(standing), content.after), standing, wanted, delegation, now)
        return Draft(before, root, targets, self._withdrawals(targets.signed, standing, content, now), content.after)

    def finish(self, draft: Draft, standing: Standing | None, content: Content, now: datetime) -> Draft:
        """Return a draft that others have signed, with the withdrawals as they are now, signed by the keys that are here."""
        withdrawals = self._withdrawals(draft.targets.signed, standing, content, now)
        return replace(draft, withdrawals=withdrawals, after=content.after)

    def _targets(
        self,
        draft: Draft,
        old: Standing | None,
        wanted: dict[str, tuf.TargetFile],
        delegation: Delegations,
        now: datetime,
    ) -> Metadata[Targets]:
        """Return the targets as they are to be: those that stand when they say it, under this root and not for too short."""
        root = draft.root.signed
        if old is not None:
            standing = old.targets
            due = self._is_due(Role.TARGETS, standing, now) and self._can_sign(root, Role.TARGETS)
            same = standing.signed.targets == wanted and standing.signed.delegations == delegation
            if same and not due and (not draft.rooted_anew or _verdict(root, Role.TARGETS, standing)):
                return standing
        version = (old.targets.signed.version if old else draft.after) + 1
        targets = Metadata(Targets(version, None, self._expiry(Role.TARGETS, now), wanted, delegation))
        self._sign(targets, _key_ids(Role.TARGETS, draft.before, draft.root))
        return targets

    def seal(self, draft: Draft, standing: Standing | None, now: datetime) -> Written:
        """Return the files to write, in order, so that the draft is out; none when all stands as it is.

        Raises: UsageError when a key that is needed is not here.
        """
        _check_whole(draft.lacks())
        old = standing
        meta = {f"{Role.TARGETS}.json": _meta(draft.targets), f"{Role.WITHDRAWALS}.json": _meta(draft.withdrawals)}
        snapshot = old.snapshot if old else None
        stale = snapshot is None or snapshot.signed.meta != meta or self._is_due(Role.SNAPSHOT, snapshot, now)
        if snapshot is None or stale or (draft.rooted_anew and not _verdict(draft.root.signed, Role.SNAPSHOT, snapshot)):
            version = (snapshot.signed.version if snapshot else draft.after) + 1
            snapshot = Metadata(Snapshot(version, None, self._expiry(Role.SNAPSHOT, now), meta))
            self._sign(snapshot, _key_ids(Role.SNAPSHOT, draft.before, draft.root))
        timestamp = self._timestamp(draft, old, snapshot, now)
        if timestamp is None:
            return ()
        lacks = _lack(Role.SNAPSHOT, _verdict(draft.root.signed, Role.SNAPSHOT, snapshot))
        _check_whole(lacks + _lack(Role.TIMESTAMP, _verdict(draft.root.signed, Role.TIMESTAMP, timestamp)))
        documents: list[tuple[Role, Metadata[Any]]] = [
            (Role.WITHDRAWALS, draft.withdrawals),
            (Role.TARGETS, draft.targets),
            (Role.SNAPSHOT, snapshot),
        ]
        known = {role: each.signed.version for role, each in old.versioned()} if old else {}
        new = [(role, each) for role, each in documents if known.get(role) != each.signed.version]
        files = [(document_path(role, each.signed.version), serialized(each)) for role, each in new]
        last = (document_path(Role.TIMESTAMP, 0), serialized(timestamp))
        if not draft.rooted_anew:
            return (*files, last)
        root = (document_path(Role.ROOT, draft.root.signed.version), serialized(draft.root))
        good_before = draft.before is not None and bool(_verdict(draft.before.signed, Role.TIMESTAMP, timestamp))
        return (*files, last, root) if good_before else (*files, root, last)

    def _timestamp(
        self, draft: Draft, old: Standing | None, snapshot: Metadata[Snapshot], now: datetime
    ) -> Metadata[Timestamp] | None:
        """Return a new timestamp, None when the one that is out says the same for as long."""
        expires = self._expiry(Role.TIMESTAMP, now)
        said = _meta(snapshot)
        version = draft.after + 1
        if old is not None:
            before = old.timestamp.signed
            if before.snapshot_meta == said and before.expires >= expires and not draft.rooted_anew:
                return None
            version = before.version + 1
        timestamp = Metadata(Timestamp(version, None, expires, said, {SIGNED_AT: instant(now)}))
        self._sign(timestamp, _key_ids(Role.TIMESTAMP, draft.before, draft.root))
        return timestamp

    def _next_root(self, before: Metadata[Root], now: datetime, change: Change | None) -> Metadata[Root]:
        """Return the root with a change, or of a later date when it is due; else the one that is out."""
        if change is not None and change.of_root:
            return self._root_after(before, changed_root(before.signed, change), now)
        if self._is_due(Role.ROOT, before, now) and self._can_sign(before.signed, Role.ROOT):
            return self._root_after(before, deepcopy(before.signed), now)
        return before

    def _root_after(self, root: Metadata[Root], wanted: Root, now: datetime) -> Metadata[Root]:
        """Return the next root, as it is wanted, signed by the keys of both that are here."""
        wanted.version = root.signed.version + 1
        wanted.expires = self._expiry(Role.ROOT, now)
        document = Metadata(wanted)
        self._sign(document, {*root.signed.roles[Role.ROOT].keyids, *wanted.roles[Role.ROOT].keyids})
        return document

    def _withdrawals(self, targets: Targets, old: Standing | None, content: Content, now: datetime) -> Metadata[Targets]:
        wanted = {WITHDRAWALS: _tuf_file(content.withdrawals_file)}
        if old is not None:
            standing = old.withdrawals
            named = targets.get_delegated_role(Role.WITHDRAWALS)
            due = self._is_due(Role.WITHDRAWALS, standing, now) and self._has_enough(named)
            if standing.signed.targets == wanted and not due and _verdict(targets, Role.WITHDRAWALS, standing):
                return standing
        version = (old.withdrawals.signed.version if old else content.after) + 1
        document = Metadata(Targets(version, None, self._expiry(Role.WITHDRAWALS, now), wanted))
        self._sign(document, targets.get_delegated_role(Role.WITHDRAWALS).keyids)
        return document

    def _delegation(self) -> Delegations:
        """Return the delegation of the withdrawals to the keys that are here."""
        keys: dict[str, Key] = {key.keyid: key for key in self.keyring.public(Role.WITHDRAWALS)}
        role = DelegatedRole(Role.WITHDRAWALS, sorted(keys), 1, terminating=True, paths=[WITHDRAWALS])
        return Delegations(keys, {str(Role.WITHDRAWALS): role})

    def _can_sign(self, root: Root, role: Role) -> bool:
        """Return whether as many keys of a role are here as it takes, so that nobody need be asked for a passphrase."""
        return self._has_enough(root.roles[role])

    def _has_enough(self, named: tuf.Role) -> bool:
        held = {key.key_id for key in self.keyring.held() if not key.encrypted}
        return len(held.intersection(named.keyids)) >= named.threshold

    def _sign(self, document: Metadata[Any], key_ids: Iterable[str]) -> None:
        for signer in self.keyring.signers(key_ids):
            document.sign(signer, append=True)

    def _expiry(self, role: Role, now: datetime) -> datetime:
        return now.replace(microsecond=0) + self._lives[role]

    def _is_due(self, role: Role, document: Metadata[Any], now: datetime) -> bool:
        """Return whether less than half of its life is left."""
        return bool(document.signed.expires - now < self._lives[role] / 2)


def _blank(standing: Standing | None) -> tuple[Metadata[Targets], Metadata[Targets]]:
    return (standing.targets, standing.withdrawals) if standing else (Metadata(Targets()), Metadata(Targets()))


def _key_ids(role: Role, before: Metadata[Root] | None, root: Metadata[Root]) -> set[str]:
    """Return the keys that a role has by the root that is out or by the one to be."""
    return {key_id for each in (before, root) if each for key_id in each.signed.roles[role].keyids}


def _tuf_file(file: TargetFile) -> tuf.TargetFile:
    return tuf.TargetFile(file.file_bytes, {"sha256": file.sha256}, file.path)


def _meta(document: Metadata[Any]) -> MetaFile:
    """Return what another document says of this one."""
    return MetaFile.from_data(document.signed.version, serialized(document), ["sha256"])


def _check_whole(lacks: list[Lack]) -> None:
    if lacks:
        lack = lacks[0]
        problem = f"signed by too few of its keys: {lack.missing} more of {', '.join(each[:ID_SHOWN] for each in lack.key_ids)}"
        remedy = "Run `fonoteca publish --stage DIR`, sign there with `fonoteca keys sign`, then `fonoteca publish --finish DIR`."
        raise UsageError(f"the {lack.role} of the edition", problem, remedy)
