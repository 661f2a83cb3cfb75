"""Changes of keys: a key more, keys in place of others, keys less, and how many must sign."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from securesystemslib.signer import SSlibKey
from tuf.api.metadata import Delegations, Root, Targets

from fonoteca.editions.trust.roles import Role
from fonoteca.model.errors import UsageError

ID_SHOWN = 12
"""Digits of a key's id that people are shown: two keys that begin alike are not made by chance."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a role's keys. added: public halves. removed: ids. threshold: how many must sign, None for as many as now."""

    role: Role
    added: tuple[SSlibKey, ...] = ()
    removed: tuple[str, ...] = ()
    threshold: int | None = None

    @property
    def of_root(self) -> bool:
        """Whether it is the root that says so, not the targets."""
        return self.role is not Role.WITHDRAWALS


def changed_root(root: Root, change: Change) -> Root:
    """Return a root with the change. Raises: UsageError for one that leaves a role with too few keys."""
    wanted = deepcopy(root)
    _apply(wanted, change)
    return wanted


def changed_delegations(delegations: Delegations, change: Change) -> Delegations:
    """Return delegations with the change. Raises: as `changed_root`."""
    holder = Targets(delegations=deepcopy(delegations))
    _apply(holder, change)
    assert holder.delegations is not None, "they were given"
    return holder.delegations


def _apply(holder: Root | Targets, change: Change) -> None:
    named = holder.get_delegated_role(change.role)
    for key_id in change.removed:
        if key_id not in named.keyids:
            raise UsageError(key_id[:ID_SHOWN], f"no key of {change.role}", "`fonoteca keys show` lists them.")
        holder.revoke_key(key_id, change.role)
    for key in change.added:
        holder.add_key(key, change.role)
    if change.threshold is not None:
        named.threshold = change.threshold
    count = len(named.keyids)
    if not 1 <= named.threshold <= count:
        problem = f"{named.threshold} must sign, and it would have {count} {'key' if count == 1 else 'keys'}"
        raise UsageError(change.role, problem, "Make or add a key first, or lower the threshold.")
