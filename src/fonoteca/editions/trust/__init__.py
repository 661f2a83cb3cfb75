"""Who says so? Signed editions by The Update Framework (TUF 1.0, python-tuf): keys, signing, and believing what others signed."""

from fonoteca.editions.trust.believing import FIRST_USE, Anchor, Asked, Kept, TrustedEdition, Unkept, believe
from fonoteca.editions.trust.changes import ID_SHOWN, Change
from fonoteca.editions.trust.keys import (
    SEED_BYTES,
    KeyFile,
    Keyring,
    Passphrase,
    PublicKey,
    locked,
    new_key,
    no_passphrase,
    open_key,
    parse_public,
    public_json,
)
from fonoteca.editions.trust.roles import METADATA, ROOT_BYTES_MAX, TIMESTAMP, WITHDRAWALS, Role, document_path, stamped_path
from fonoteca.editions.trust.signing import Content, Draft, Lack, Signatory, Written, is_signed
from fonoteca.editions.trust.staging import CONTENTS, STAGED_BYTES_MAX, Signing, gather, sign_staged, staged_files
from fonoteca.editions.trust.standing import Standing, committed_target, expiry, newest_root, read_standing, superseded
from fonoteca.editions.trust.succession import believe_on, offered_roots, trusted_roots
from fonoteca.editions.trust.survey import KeySeen, RoleSeen, Survey, survey

__all__ = [
    "CONTENTS",
    "FIRST_USE",
    "ID_SHOWN",
    "METADATA",
    "ROOT_BYTES_MAX",
    "SEED_BYTES",
    "STAGED_BYTES_MAX",
    "TIMESTAMP",
    "WITHDRAWALS",
    "Anchor",
    "Asked",
    "Change",
    "Content",
    "Draft",
    "Kept",
    "KeyFile",
    "KeySeen",
    "Keyring",
    "Lack",
    "Passphrase",
    "PublicKey",
    "Role",
    "RoleSeen",
    "Signatory",
    "Signing",
    "Standing",
    "Survey",
    "TrustedEdition",
    "Unkept",
    "Written",
    "believe",
    "believe_on",
    "committed_target",
    "document_path",
    "expiry",
    "gather",
    "is_signed",
    "locked",
    "new_key",
    "newest_root",
    "no_passphrase",
    "offered_roots",
    "open_key",
    "parse_public",
    "public_json",
    "read_standing",
    "sign_staged",
    "staged_files",
    "stamped_path",
    "superseded",
    "survey",
    "trusted_roots",
]
