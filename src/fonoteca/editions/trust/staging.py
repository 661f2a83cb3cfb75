"""What is carried to the machines where keys lie, and back: documents with too few signatures, and what they bind.

A stage is a folder: `root.json`, `targets.json` and `withdrawals.json`, those of them that are new, each signed by the keys that
were at hand; `trusted-root.json`, the root that is out, so that a signer far from the archive sees whose keys count; `contents/`
with index.json and the files for people. Copies that were signed apart are put together again: signatures over the same bytes
add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization import DeserializationError

from fonoteca.editions.index import INDEX
from fonoteca.editions.trust.changes import ID_SHOWN
from fonoteca.editions.trust.roles import TARGETS_BYTES_MAX, Role
from fonoteca.editions.trust.signing import Draft
from fonoteca.editions.trust.standing import Standing, serialized
from fonoteca.model.errors import UsageError

TRUSTED_ROOT = "trusted-root.json"
CONTENTS = "contents"
STAGED_BYTES_MAX = TARGETS_BYTES_MAX
_SIGNED_ROLES = (Role.ROOT, Role.TARGETS, Role.WITHDRAWALS)
_REMEDY = "Name a file that `fonoteca publish --stage` or `fonoteca keys` wrote."


@dataclass(frozen=True, slots=True)
class Signing:
    """What a signature was put under. sha256: of index.json, "" in another role's.

    missing: signatures still, None when no root beside it says.
    """

    role: Role
    version: int
    expires_at: datetime
    file_count: int
    sha256: str
    key_id: str
    signatures: int
    missing: int | None


def staged_files(draft: Draft, standing: Standing | None, contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a stage, by path below its folder. contents: what changes under its name, by path."""
    known = {role: each.signed.version for role, each in standing.versioned()} if standing else {}
    documents = {Role.TARGETS: draft.targets, Role.WITHDRAWALS: draft.withdrawals}
    files = {f"{role}.json": serialized(each) for role, each in documents.items() if known.get(role) != each.signed.version}
    if draft.rooted_anew:
        files[f"{Role.ROOT}.json"] = serialized(draft.root)
    if draft.before is not None:
        files[TRUSTED_ROOT] = serialized(draft.before)
    return files | {f"{CONTENTS}/{path}": content for path, content in contents.items()}


def sign_staged(name: str, files: Mapping[str, bytes], signer: CryptoSigner) -> tuple[bytes, Signing]:
    """Return a staged document with one more signature, and what was signed.

    name: of the document. files: of the stage, by name, as many of them as are there.
    Raises: UsageError for a file that is no such document, and for a key that neither the root that is out nor a new one beside it
    lets sign it.
    """
    document = _document(name, files[name])
    role = _role_of(document)
    roots = [_document(each, files[each]) for each in (f"{Role.ROOT}.json", TRUSTED_ROOT) if each in files and each != name]
    roots += [document] if role is Role.ROOT else []
    holders = [root.signed for root in roots]
    if role is Role.WITHDRAWALS:
        beside = f"{Role.TARGETS}.json"
        holders = [_document(beside, files[beside]).signed] if beside in files else []
    key_id = signer.public_key.keyid
    if holders and not any(key_id in holder.get_delegated_role(role).keyids for holder in holders):
        remedy = "Sign with a key that `fonoteca keys show` lists for this role."
        raise UsageError(key_id[:ID_SHOWN], f"not a key of {role}", remedy)
    document.sign(signer, append=True)
    verdicts = [holder.get_verification_result(role, document.signed_bytes, document.signatures) for holder in holders]
    signed = document.signed
    bound = signed.targets if isinstance(signed, Targets) else {}
    summary = Signing(
        role=role,
        version=signed.version,
        expires_at=signed.expires,
        file_count=len(bound),
        sha256=bound[INDEX].hashes["sha256"] if INDEX in bound else "",
        key_id=key_id,
        signatures=len(document.signatures),
        missing=max(verdict.missing for verdict in verdicts) if verdicts else None,
    )
    return serialized(document), summary


def gather(before: Metadata[Root] | None, standing: Standing | None, stages: Iterable[Mapping[str, bytes]]) -> Draft:
    """Return what is out with the documents of stages in place of those that stand, and all signatures that anyone put under them.

    stages: files by name; every `.json` of a stage counts, whatever it is called.
    Raises: UsageError for stages of different editions, and for one of a time before something that is out.
    """
    found: dict[Role, dict[bytes, Metadata[Any]]] = {role: {} for role in _SIGNED_ROLES}
    for files in stages:
        for name in sorted(files):
            if name.endswith(".json") and "/" not in name and name != TRUSTED_ROOT:
                document = _document(name, files[name])
                first = found[_role_of(document)].setdefault(document.signed_bytes, document)
                first.signatures.update(document.signatures)
    stands: dict[Role, Metadata[Any] | None] = {Role.ROOT: before, Role.TARGETS: None, Role.WITHDRAWALS: None}
    if standing is not None:
        stands |= {Role.TARGETS: standing.targets, Role.WITHDRAWALS: standing.withdrawals}
    chosen = {role: _next_or_standing(role, list(found[role].values()), stands[role]) for role in _SIGNED_ROLES}
    return Draft(before, chosen[Role.ROOT], chosen[Role.TARGETS], chosen[Role.WITHDRAWALS])


def _next_or_standing(role: Role, staged: Sequence[Metadata[Any]], stands: Metadata[Any] | None) -> Metadata[Any]:
    """Return a role's one document of the stages, which follows on what stands; what stands, without one."""
    if len(staged) > 1:
        raise UsageError(f"{role}.json", "the stages have different ones", "Name copies of one stage alone.")
    if not staged:
        if stands is None:
            raise UsageError(f"{role}.json", "it is missing, and none is out", "Name the whole folder that was staged.")
        return stands
    version = stands.signed.version if stands else 0
    if staged[0].signed.version != version + 1:
        problem = f"version {staged[0].signed.version} was staged, and {version} is out"
        raise UsageError(f"{role}.json", problem, "Something was published since. Run `fonoteca publish --stage` again.")
    return staged[0]


def _document(name: str, content: bytes) -> Metadata[Any]:
    """Return a document that comes from elsewhere. Raises: UsageError when it is none."""
    try:
        found = Metadata[Any].from_bytes(content)
    except (DeserializationError, RepositoryError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(name, f"not a document to be signed: {error}", _REMEDY) from None
    if not isinstance(found.signed, Root | Targets):
        raise UsageError(name, f"a {found.signed.type} is signed by `fonoteca publish` itself", _REMEDY)
    return found


def _role_of(document: Metadata[Any]) -> Role:
    """Return whose document it is: withdrawals are targets whose only file is theirs."""
    if isinstance(document.signed, Root):
        return Role.ROOT
    if document.signed.delegations is None:
        return Role.WITHDRAWALS
    return Role.TARGETS
