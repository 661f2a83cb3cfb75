"""One archive writes in a store. Which one is said in the log's folder, where OCFL leaves room and no version is made."""

from __future__ import annotations

from fonoteca.formats.claim import Claim, claim_json, parse_claim
from fonoteca.model.errors import BlobMissing, ClaimedError, FormatError, StoreError
from fonoteca.store.logs import CLAIM
from fonoteca.store.root import Root

_REMEDY = "Give this archive a store of its own. If the other one is gone for good, run `fonoteca claim`."


def claim_store(root: Root, own: Claim) -> None:
    """Return when the store is this archive's: it was already, or was nobody's, as all are that an older Fonoteca made.

    Raises: ClaimedError when it is another's, FormatError when a newer Fonoteca wrote it or the file is damaged, StoreError
    when two archives could both take it: of a medium that puts a blob in place of another although told not to.
    """
    found = _found(root)
    if found is None and root.blobs.create(CLAIM, claim_json(own)):
        _check_keeps(root, own)
    elif found is None:
        found = _found(root)  # another archive was faster
    if found is not None and found.archive_id != own.archive_id:
        raise ClaimedError("store", f"it belongs to the archive {found}, and this is {own}", _REMEDY)


def _check_keeps(root: Root, own: Claim) -> None:
    """Raise StoreError unless a blob that is there is left when it is made again. Older S3 servers put it anew, and say nothing."""
    if root.blobs.create(CLAIM, claim_json(own)):
        root.blobs.delete(CLAIM)
        problem = "its server puts blobs in place of others although told not to (`If-None-Match: *`)"
        raise StoreError("store", problem, "Bring the server up to date, or use another: two archives would harm each other here.")


def take_over(root: Root, own: Claim) -> Claim | None:
    """Return whose the store was, None for nobody's, after making it this archive's.

    Raises: FormatError when a newer Fonoteca wrote it.
    """
    content = _content(root)
    found = None
    if content is not None:
        try:
            found = parse_claim(content)
        except FormatError as error:
            if error.remedy:  # what this Fonoteca cannot read, it must not write either; what is only damaged, it mends
                raise
    if found is None or found.archive_id != own.archive_id:
        root.blobs.write(CLAIM, claim_json(own))
    return found


def _found(root: Root) -> Claim | None:
    content = _content(root)
    try:
        return None if content is None else parse_claim(content)
    except FormatError as error:
        raise FormatError(CLAIM, error.problem, error.remedy or _REMEDY) from error


def _content(root: Root) -> bytes | None:
    try:
        return root.blobs.read(CLAIM)
    except BlobMissing:
        return None
