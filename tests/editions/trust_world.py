"""An edition that is published again and again, a mirror that looks at it, and ways to forge what it says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from editions_payload import HEADING, NOW, Payload, manifested, manifested_snapshot
from tuf.api.metadata import Metadata, MetaFile

from fonoteca.edges.disk import DiskBlobs
from fonoteca.editions import Editions, Keyring, ManifestedDrop, Signatory, Terms, plan_drops
from fonoteca.editions.trust import FIRST_USE, Anchor, Asked, Change, Role, TrustedEdition, Unkept, believe
from fonoteca.editions.trust.standing import serialized
from fonoteca.model.errors import SourceMissing, TrustError
from fonoteca.model.settings import EditionSettings, SigningSettings
from fonoteca.testing.keys import MemoryKeys, counted_seeds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def some_drops() -> list[ManifestedDrop]:
    """Return a snapshot and a drop of audio."""
    payload = Payload()
    plans = plan_drops([payload.shareable(payload.version("a"), 0.25)], {}, EditionSettings())
    return [manifested_snapshot(payload.snapshot()), *(manifested(plan) for plan in plans)]


def more_drops() -> list[ManifestedDrop]:
    """Return another drop of audio."""
    payload = Payload()
    return [manifested(plan) for plan in plan_drops([payload.shareable(payload.version("b"), 0.1)], {}, EditionSettings())]


@dataclass
class Origin:
    """An archive's edition in a folder, and its keys, other ones for each salt. at: the time there."""

    folder: Path
    keys: MemoryKeys = field(default_factory=MemoryKeys)
    at: datetime = NOW
    salt: str = ""

    def __post_init__(self) -> None:
        self.keyring = Keyring(self.keys, counted_seeds(self.salt))

    @property
    def editions(self) -> Editions:
        """What publishes it."""
        return Editions(DiskBlobs(self.folder), Signatory(self.keyring, SigningSettings()))

    def publish(self, drops: list[ManifestedDrop] | None = None, withdrawals: bytes | None = None) -> None:
        """Publish an hour later."""
        self.at += HOUR
        self.editions.publish(HEADING, drops or [], Terms(self.at, withdrawals))

    def change(self, *changes: Change) -> None:
        """Change keys, an hour later each time."""
        for change in changes:
            self.at += HOUR
            self.editions.commit(self.editions.renewed(Terms(self.at), change))

    def rotate(self, *roles: Role) -> None:
        """Put new keys in place of those of roles."""
        for role in roles:
            old = [key.key_id for key in self.editions.survey().of(role).keys if key.named]
            self.change(Change(role, (self.keyring.make(role),), tuple(old)))

    def copy(self, folder: Path) -> Path:
        """Return a copy of what is published now."""
        return Path(shutil.copytree(self.folder, folder))


@dataclass
class Watcher:
    """A mirror as far as it believes. now: the time there."""

    now: datetime = NOW + HOUR
    kept: Unkept = field(default_factory=Unkept)

    def look(self, folder: Path, *, as_of: bool = False, anchor: Anchor = FIRST_USE, own: Path | None = None) -> TrustedEdition:
        """Return what it believes of the edition in a folder."""
        asked = Asked(self.now, as_of, anchor, (HEADING.root_name, HEADING.piece_bytes))
        return believe(reader(folder), self.kept, asked, reader(own) if own else None)

    @property
    def seen(self) -> dict[str, bytes]:
        """What it keeps."""
        return {name: self.kept.read(name) for name in self.kept.children()}


def reader(folder: Path) -> Callable[[str, int], bytes]:
    """Return what reads files as `Fetch` does."""

    def read(path: str, bytes_max: int) -> bytes:
        if not (folder / path).is_file():
            raise SourceMissing(path, "there is no such file")
        content = (folder / path).read_bytes()
        if len(content) > bytes_max:
            raise TrustError(path, f"{len(content)} bytes, expected at most {bytes_max}")
        return content

    return read


def put_on_top(folder: Path, keyring: Keyring, role: Role, name: str, version: int) -> None:
    """Sign a snapshot and a timestamp that name a forged document, as whoever has stolen the keys of both can."""
    meta = meta_of(folder, name, version)
    newest = max(int(path.name.partition(".")[0]) for path in (folder / "metadata").glob("*.snapshot.json"))

    def names(signed: Any) -> None:
        signed.version += 1
        signed.meta[f"{role}.json"] = meta

    forge(folder, f"{newest}.snapshot.json", keyring, names, Role.SNAPSHOT)
    sign_newest(folder, keyring, newest + 1)


def sign_newest(folder: Path, keyring: Keyring, version: int) -> None:
    """Sign a timestamp that names a snapshot, as whoever has stolen its key can."""
    meta = meta_of(folder, f"{version}.snapshot.json", version)

    def names(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta = meta

    forge(folder, "timestamp.json", keyring, names, Role.TIMESTAMP)


def forge(folder: Path, path: str, keyring: Keyring, edit: Callable[[Any], None], role: Role | None = None) -> None:
    """Edit a document of an edition as whoever has stolen the keys of a role can; with no role, only the edit is made."""
    document: Metadata[Any] = Metadata.from_bytes((folder / "metadata" / path).read_bytes())
    edit(document.signed)
    if role is not None:
        document.signatures.clear()
        for signer in keyring.signers(key.key_id for key in keyring.held() if key.role is role):
            document.sign(signer, append=True)
    version = document.signed.version
    name = path if role in (None, Role.TIMESTAMP) else f"{version}.{role}.json"
    (folder / "metadata" / name).write_bytes(serialized(document))


def meta_of(folder: Path, path: str, version: int) -> MetaFile:
    """Return what another document must say of a file for it to be taken."""
    content = (folder / "metadata" / path).read_bytes()
    return MetaFile(version, len(content), {"sha256": sha256(content).hexdigest()})
