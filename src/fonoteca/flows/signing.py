"""Keys: who may sign an edition, changed by those who have the root's; at once, or by way of a stage where those lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fonoteca.editions import Editions, Keyring, Terms
from fonoteca.editions.trust import ID_SHOWN, Change, Lack, PublicKey, Role, Survey
from fonoteca.model.errors import UsageError
from fonoteca.ports import Clock

ID_DIGITS_MIN = 8
"""Fewer of a key's id might mean another one."""


@dataclass(frozen=True, slots=True)
class SigningRooms:
    """What a change of keys needs."""

    editions: Editions
    keyring: Keyring
    clock: Clock


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What became of a change. added and removed: ids of keys. waits: what has too few signatures.

    files: what is to be signed elsewhere first, by path; none when it is out.
    """

    role: Role
    added: tuple[str, ...]
    removed: tuple[str, ...]
    waits: tuple[Lack, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


Made = Callable[[Role], PublicKey]
"""Makes a key of a role on this machine."""


def add_key(rooms: SigningRooms, role: Role, key: PublicKey | Made, staged: bool) -> Rekeyed:
    """Return what became of letting one more key sign for a role. key: the public half, or what makes it when all else is right."""
    _check_signers(rooms, role, staged)
    public = key(role) if callable(key) else key
    return _change(rooms, Change(role, added=(public,)), staged)


def rotate(rooms: SigningRooms, role: Role, keys: Sequence[PublicKey] | Made, staged: bool) -> Rekeyed:
    """Return what became of new keys in place of those of a role that are here.

    keys: the public halves of keys made elsewhere, in place of all that the role has; or what makes one for each that is here.
    """
    _check_signers(rooms, role, staged)
    named = [key for key in rooms.editions.survey().of(role).keys if key.named]
    if callable(keys):
        old = [key for key in named if key.here]
        if not old:
            remedy = "Name keys that were made elsewhere, as in `keys rotate ROLE --with FILE.pub`."
            raise UsageError(role, "no key of it is here", remedy)
        public = [keys(role) for _ in old]
    else:
        old, public = named, list(keys)
    return _change(rooms, Change(role, tuple(public), tuple(key.key_id for key in old)), staged)


def revoke(rooms: SigningRooms, beginning: str, staged: bool) -> Rekeyed:
    """Return what became of a key that is to sign no more. beginning: the first digits of its id."""
    found = [key for role in rooms.editions.survey().roles for key in role.keys if key.named and key.key_id.startswith(beginning)]
    if len(beginning) < ID_DIGITS_MIN or len({key.key_id for key in found}) != 1:
        problem = f"the id of {len(found)} keys begins so" if found else "no key that may sign has this id"
        raise UsageError(beginning, problem, f"`fonoteca keys show` lists them; give {ID_SHOWN} digits.")
    role = found[0].role
    _check_signers(rooms, role, staged)
    return _change(rooms, Change(role, removed=(found[0].key_id,)), staged)


def change_threshold(rooms: SigningRooms, role: Role, threshold: int, staged: bool) -> Rekeyed:
    """Return what became of how many keys of a role must sign."""
    _check_signers(rooms, role, staged)
    return _change(rooms, Change(role, threshold=threshold), staged)


def _change(rooms: SigningRooms, change: Change, staged: bool) -> Rekeyed:
    """Put a change of keys out, or return what is to be signed elsewhere first."""
    publication = rooms.editions.renewed(Terms(rooms.clock.now()), change)
    waits = tuple(publication.draft.lacks())
    done = Rekeyed(change.role, tuple(key.keyid for key in change.added), change.removed, waits)
    if staged:
        return Rekeyed(done.role, done.added, done.removed, waits, rooms.editions.staged(publication))
    rooms.editions.commit(publication)
    return done


def _check_signers(rooms: SigningRooms, role: Role, staged: bool) -> None:
    """Raise UsageError before anything is made when the keys that must sign a change are elsewhere, and nothing is to be staged."""
    seen: Survey = rooms.editions.survey()
    if not seen.root_version:
        raise UsageError("editions", "nothing is published yet", "Run `fonoteca publish` first.")
    holder = Role.TARGETS if role is Role.WITHDRAWALS else Role.ROOT
    if not staged and not seen.of(holder).signs_here:
        remedy = "Add `--stage DIR`, sign there with `fonoteca keys sign`, then `fonoteca publish --finish DIR`."
        raise UsageError(f"the keys of {holder}", "they are elsewhere, and must sign this", remedy)
