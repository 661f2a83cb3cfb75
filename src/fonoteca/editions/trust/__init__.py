"""Who says so? Signed editions by The Update Framework (TUF 1.0, python-tuf): keys, signing, and believing what others signed."""

from fonoteca.editions.trust.believing import FIRST_USE, Anchor, Asked, Kept, TrustedEdition, Unkept, believe
from fonoteca.editions.trust.keys import KeyFile, Keyring, new_key, no_passphrase, open_key
from fonoteca.editions.trust.roles import METADATA, TIMESTAMP, WITHDRAWALS, Role, document_path, stamped_path
from fonoteca.editions.trust.signing import Content, Draft, Lack, Signatory, Written
from fonoteca.editions.trust.standing import Standing, committed_target, newest_root, read_standing

__all__ = [
    "FIRST_USE",
    "METADATA",
    "TIMESTAMP",
    "WITHDRAWALS",
    "Anchor",
    "Asked",
    "Content",
    "Draft",
    "Kept",
    "KeyFile",
    "Keyring",
    "Lack",
    "Role",
    "Signatory",
    "Standing",
    "TrustedEdition",
    "Unkept",
    "Written",
    "believe",
    "committed_target",
    "document_path",
    "new_key",
    "newest_root",
    "no_passphrase",
    "open_key",
    "read_standing",
    "stamped_path",
]
