"""The codes of OCFL 1.0 and 1.1 for what can be wrong with an object or a storage root, and what a finding is.

Source: the specification's tables of validation codes, 1.0 and 1.1 (`validation-codes`), told here in our own words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

SPECS = ("1.0", "1.1")
"""The versions of the specification that are known, in order."""

SHOWN_CHARACTERS = 100
"""How much of a found value a sentence quotes."""

RULES: Mapping[str, str] = {
    "E001": "an object's root holds only what the specification names",
    "E003": "an object has exactly one version declaration",
    "E004": "the declaration's name ends in a version of the specification",
    "E005": "the declaration's name begins with 0=",
    "E006": "the declaration's name says ocfl_object_",
    "E007": "the declaration contains its name after 0= and a newline",
    "E008": "an object has at least one version",
    "E009": "versions begin with 1",
    "E010": "versions have no gap",
    "E011": "a padded version name begins with v and a zero",
    "E012": "all version names are padded to one length, or none is",
    "E013": "later versions are named as the first one is",
    "E014": "content paths use the version folders' real names",
    "E015": "a version folder holds no files but its inventory and sidecar",
    "E016": "a version with content has a content folder",
    "E017": "contentDirectory has no slash",
    "E018": "contentDirectory is not . or ..",
    "E019": "contentDirectory, if set, is set in the first version",
    "E020": "contentDirectory is the same in all versions",
    "E023": "every content file is in the manifest",
    "E024": "no folder in a content folder is empty",
    "E025": "digestAlgorithm is sha512 or sha256",
    "E029": "a sha1 digest is in hexadecimal",
    "E030": "a sha256 digest is in hexadecimal",
    "E031": "a sha512 digest is in hexadecimal",
    "E032": "a blake2b-512 digest is in hexadecimal",
    "E033": "the inventory is JSON in UTF-8 that can be read in one way only",
    "E034": "the inventory is named inventory.json",
    "E035": "content paths use the forward slash",
    "E036": "the inventory has id, type, digestAlgorithm and head",
    "E037": "the id is a text that no other object of the root has",
    "E038": "type is that of the declared version of the specification",
    "E039": "manifest and states use the digestAlgorithm",
    "E040": "head is the name of the newest version",
    "E041": "the inventory has a manifest and versions",
    "E042": "a content path leads from the object's root into a version's content folder",
    "E043": "the inventory has versions",
    "E045": "versions is a JSON object",
    "E046": "the versions are those that have folders",
    "E047": "each version is a JSON object",
    "E048": "each version has created and state",
    "E049": "created is a time to the second with a timezone, as in RFC 3339",
    "E050": "each digest of a state is in the manifest, spelt alike",
    "E051": "each digest of a state has an array of logical paths",
    "E052": "a logical path has no part that is empty, . or ..",
    "E053": "a logical path neither begins nor ends with a slash",
    "E054": "user is a JSON object with a name",
    "E056": "fixity names registered digest algorithms only",
    "E057": "a block of fixity is built as the manifest is",
    "E058": "every inventory has a sidecar",
    "E059": "the sidecar is named for the digestAlgorithm",
    "E060": "the sidecar has the inventory's digest",
    "E061": "the sidecar says DIGEST inventory.json",
    "E063": "an object has an inventory in its root",
    "E064": "the root's inventory is the newest version's inventory",
    "E066": "earlier inventories tell of the same states as the newest",
    "E067": "an object's extensions folder holds folders only",
    "E069": "a storage root has a declaration",
    "E070": "ocfl_layout.json is a JSON object with extension and description",
    "E071": "ocfl_layout.json names a registered extension",
    "E072": "no file among the objects is outside of an object",
    "E073": "no folder under a storage root is empty",
    "E074": "no storage root is part of another",
    "E076": "a storage root has exactly one declaration",
    "E077": "the root declaration's name ends in a version of the specification",
    "E078": "the root declaration's name begins with 0=",
    "E079": "the root declaration's name says ocfl_",
    "E080": "the root declaration contains its name after 0= and a newline",
    "E081": "no object declares a newer version than its storage root",
    "E082": "no object lies inside another",
    "E083": "the layout leads from each id to one path",
    "E086": "the root's extensions folder follows the rules of an object's (1.0)",
    "E089": "there are only folders and regular files",
    "E090": "there are no links",
    "E092": "the manifest's files are there, with the digests that it gives",
    "E093": "the files of fixity are there, with the digests that it gives",
    "E094": "message is a text",
    "E095": "logical paths of a version are unique, and none is another's folder",
    "E096": "each digest is once in the manifest, whatever its case",
    "E097": "each digest is once in a block of fixity, whatever its case",
    "E099": "a content path has no part that is empty, . or ..",
    "E100": "a content path neither begins nor ends with a slash",
    "E101": "content paths are unique, and none is another's folder",
    "E102": "the inventory has only the keys of the specification",
    "E103": "no version conforms to an older specification than the one before",
    "E104": "a version name begins with v",
    "E105": "a version number is a positive whole number",
    "E106": "the manifest is a JSON object",
    "E107": "each digest of the manifest is in a version's state",
    "E108": "contentDirectory is a name",
    "E110": "the id is the same in all versions",
    "E111": "fixity is a JSON object",
    "E112": "the root's extensions folder holds folders only",
    "W001": "version names should not be padded",
    "W002": "a version folder should hold no folders but the content folder",
    "W003": "a version without content should have no content folder",
    "W004": "digestAlgorithm should be sha512",
    "W005": "the id should be a URI",
    "W007": "each version should have a message and a user",
    "W008": "user should have an address",
    "W009": "a user's address should be a URI",
    "W010": "each version folder should have an inventory",
    "W011": "earlier inventories should tell of versions as the newest does",
    "W013": "an object's extensions should be registered",
    "W014": "all objects should lie where the layout says",
    "W015": "objects should all lie in the root itself, or all in folders",
    "W016": "the root's extensions should be registered",
}
"""What each code that we find asks for."""

NOT_FOUND: Mapping[str, str] = {
    "E002": "E003 to E006 are the same rule in detail",
    "E021": "a rule for writers: another folder is found as E016, E042 or W002",
    "E022": "an order to validators, obeyed: other folders of a version are not looked into",
    "E026": "E056 is found for the same fault",
    "E027": "an order to validators, obeyed: all algorithms of both tables are computed",
    "E028": "an order to validators: no algorithm of the registered tables is unknown here",
    "E044": "E043 is found for the same fault",
    "E055": "a block under another name is found as E102",
    "E062": "the order of writing leaves no trace but E060",
    "E068": "where an extension is described cannot be told from names (1.0 alone)",
    "E075": "E076 to E079 are the same rule in detail",
    "E084": "E072 is found for the same fault",
    "E085": "E072 or E073 is found for the same fault",
    "E087": "an order to validators, obeyed: other files in a storage root are ignored",
    "E088": "E072 or E073 is found for the same fault",
    "E091": "of file systems, not of what lies on them (1.0 alone)",
    "E098": "an order to readers, obeyed",
    "W012": "what a log file is about cannot be told",
}
"""Codes of the tables that no finding has, and why."""

IN_1_0: Mapping[str, str | None] = {
    "E104": "E046",
    "E105": "E046",
    "E106": "E041",
    "E107": None,
    "E108": "E017",
    "E110": "E037",
    "E111": "E057",
    "E112": "E086",
    "W016": "W013",
}
"""What OCFL 1.0 calls a fault that 1.1 gave a code of its own; None where 1.0 has no such rule."""

_ONCE = frozenset({"W001", "W005", "W007", "W008", "W009"})
"""Warnings that the newest inventory gives already: W011 tells where an earlier one says something else."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong. code: of the specification. place: a path below what was validated. sentence: for a person."""

    code: str
    place: str
    sentence: str

    @property
    def error(self) -> bool:
        """Whether it makes the whole invalid; else it is a warning."""
        return is_error(self.code)


@dataclass(slots=True)
class Notes:
    """Takes findings down. spec: whose rules they are. earlier: they are of an inventory before the newest."""

    place: str
    spec: str = SPECS[-1]
    earlier: bool = False
    findings: list[Finding] = field(default_factory=list)

    def add(self, code: str, sentence: str, place: str | None = None) -> None:
        """Take a finding down, under the code that it has in this version of the specification, if it is against a rule there."""
        named = IN_1_0.get(code, code) if self.spec == "1.0" else code
        if named is not None and not (self.earlier and named in _ONCE):
            assert named in RULES, named
            self.findings.append(Finding(named, self.place if place is None else place, sentence))

    def add_each(self, code: str, sentence: str, faults: Collection[str]) -> None:
        """Take a finding down for each fault, which follows the sentence."""
        for fault in sorted(faults):
            self.add(code, f"{sentence} {shown(fault)}")


def is_error(code: str) -> bool:
    """Return whether a code is an error's, of a MUST; else it is a warning's, of a SHOULD."""
    return code.startswith("E")


def shown(value: object) -> str:
    """Return a found value as a sentence quotes it, cut when it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
