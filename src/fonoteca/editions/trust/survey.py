"""Who may sign, where the keys are, and for how long the signatures are good: what `fonoteca keys show` and `doctor` say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from fonoteca.editions.trust.keys import Keyring
from fonoteca.editions.trust.roles import Role, document_path
from fonoteca.editions.trust.standing import newest_root, read_standing
from fonoteca.ports import Blobs


@dataclass(frozen=True, slots=True)
class KeySeen:
    """A key. named: whether the edition that is out lets it sign. here: whether its private half is on this machine."""

    role: Role
    key_id: str
    named: bool
    here: bool
    encrypted: bool

    @property
    def name(self) -> str:
        """The file that its private half is in."""
        return f"keys/{self.role}-{self.key_id}.pem"


@dataclass(frozen=True, slots=True)
class RoleSeen:
    """What a role has signed. threshold: how many keys must. version: 0 and expires_at None before anything is out."""

    role: Role
    threshold: int
    version: int
    expires_at: datetime | None
    keys: tuple[KeySeen, ...]

    @property
    def here_count(self) -> int:
        """Keys that may sign, and are here."""
        return sum(key.named and key.here for key in self.keys)

    @property
    def signs_here(self) -> bool:
        """Whether enough of its keys are here."""
        return self.here_count >= self.threshold


@dataclass(frozen=True, slots=True)
class Survey:
    """All roles, in order of power. root_sha256: of the newest root, "" before there is one."""

    roles: tuple[RoleSeen, ...]
    root_version: int
    root_sha256: str

    def of(self, role: Role) -> RoleSeen:
        """Return what there is of a role."""
        return next(each for each in self.roles if each.role is role)


def survey(blobs: Blobs, keyring: Keyring) -> Survey:
    """Return who may sign in the edition of an archive, and where its keys are. No key is opened."""
    held = {key.key_id: key for key in keyring.held()}
    root = newest_root(blobs)
    standing = read_standing(blobs)
    signed = {role: document.signed for role, document in standing.versioned()} if standing else {}
    if standing:
        signed[Role.TIMESTAMP] = standing.timestamp.signed
    if root:
        signed[Role.ROOT] = root.signed
    found = []
    for role in Role:
        named: list[str] = []
        threshold = 1
        holder = standing.targets.signed if standing and role is Role.WITHDRAWALS else root.signed if root else None
        if holder is not None and (role is not Role.WITHDRAWALS or standing):
            delegated = holder.get_delegated_role(role)
            named, threshold = list(delegated.keyids), delegated.threshold
        spare = [key.key_id for key in held.values() if key.role is role and key.key_id not in named]
        keys = tuple(
            KeySeen(role, key_id, key_id in named, key_id in held, key_id in held and held[key_id].encrypted)
            for key_id in (*sorted(named), *sorted(spare))
        )
        document = signed.get(role)
        found.append(RoleSeen(role, threshold, document.version if document else 0, document.expires if document else None, keys))
    digest = sha256(blobs.read(document_path(Role.ROOT, root.signed.version))).hexdigest() if root else ""
    return Survey(tuple(found), root.signed.version if root else 0, digest)
