"""Going on with a promoted archive: its origin is gone, a mirror of it has a new root of trust, and no signature leads from one to
the other. So nobody goes on by itself: it takes a person who names the new root.

What the promoted archive says of its origin is believed as far as this: it is the reason that is told for a refusal, and where the
new root is named, too, it takes the place of the old one. A root that is named of any other archive does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

from fonoteca.editions.promotion import Promotion
from fonoteca.editions.trust.believing import FIRST_USE, Asked, FetchRead, Kept, TrustedEdition, Unkept, believe, kept_roots
from fonoteca.model.errors import FonotecaError, TrustError
from fonoteca.model.ids import Sha256


@dataclass(frozen=True, slots=True)
class Succession:
    """An edition that goes on from a root that is trusted, by its own word. root: that one. seen: of its metadata, to be kept."""

    edition: TrustedEdition
    promotion: Promotion
    root: Sha256
    seen: Unkept


def believe_on(fetch_read: FetchRead, kept: Kept, asked: Asked, own_read: FetchRead | None = None) -> TrustedEdition:
    """Return the edition that somebody publishes, as `believe` does, or that of a promoted archive whose new root is named.

    Raises: as `believe`; TrustError which says so for a promoted archive whose root nobody named. Nothing is changed then.
    """
    try:
        return believe(fetch_read, kept, asked, own_read)
    except TrustError as error:
        refusal = error
    found = succession(fetch_read, asked, trusted_roots(kept))
    if found is None:
        raise refusal
    if asked.anchor == FIRST_USE:
        at, new = f"{found.promotion.at:%Y-%m-%d}", found.edition.root_sha256
        problem = f"this archive has a new root since {at}, promoted from root {found.root} which you trust"
        remedy = (
            "Nothing was taken. Anyone who has a copy can say so: ask those who keep it, by another way. "
            f"To go on with it, run the same with `--root-sha256 {new}`."
        )
        raise TrustError("root", problem, remedy)
    _put_in_place(kept, found.seen)
    return found.edition


def succession(fetch_read: FetchRead, asked: Asked, trusted: set[Sha256]) -> Succession | None:
    """Return what goes on from one of the roots that are trusted, None where nothing does that can be believed by itself."""
    seen = Unkept()
    try:
        edition = believe(fetch_read, seen, asked) if trusted else None
    except FonotecaError:  # why nothing is taken was found already
        return None
    for promotion in reversed(edition.index.promoted_from if edition else ()):
        root = promotion.known_root(trusted)
        if root is not None and edition is not None:
            return Succession(edition, promotion, root, seen)
    return None


def trusted_roots(kept: Kept) -> set[Sha256]:
    """Return the digests of the roots that are trusted."""
    return {Sha256(sha256(kept.read(f"{version}.root.json")).hexdigest()) for version in kept_roots(kept)}


def offered_roots(fetch_read: FetchRead, asked: Asked) -> set[Sha256]:
    """Return the digests of the roots of an edition that can be believed by itself, whoever made it; none of any other."""
    seen = Unkept()
    try:
        believe(fetch_read, seen, replace(asked, anchor=FIRST_USE, as_of=True))
    except FonotecaError:  # as above
        return set()
    return trusted_roots(seen)


def _put_in_place(kept: Kept, seen: Unkept) -> None:
    """Trust what was seen in place of what was kept.

    Killed at any moment, what is kept leads to the same refusal again, or it is done: old roots for which the new chain has no
    number go first, the last of them first, so that an older chain is left; then each new root takes the place of an old one.
    """
    for name in ("timestamp.json", "snapshot.json"):
        kept.delete(name)
    new = kept_roots(seen)
    for version in reversed(kept_roots(kept)):
        if version > new[-1]:
            kept.delete(f"{version}.root.json")
    for version in new:
        kept.write(f"{version}.root.json", seen.read(f"{version}.root.json"))
    for version in kept_roots(kept):
        if version < new[0]:
            kept.delete(f"{version}.root.json")
    for name in ("snapshot.json", "timestamp.json"):
        kept.write(name, seen.read(name))
