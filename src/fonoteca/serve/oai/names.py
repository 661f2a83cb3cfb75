"""Names that harvesters know: identifiers and sets."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from fonoteca.model.errors import FormatError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import Kind
from fonoteca.serve.oai.asking import ARGUMENT_CHARACTERS_MAX

_OBJECT = "urn:fonoteca:"
_LOCAL = "-_.!~*'();/?:@&=+$,"
"""What the guidelines of OAI identifiers let stand beside letters and digits; all else is escaped."""

KIND_NAMES = {Kind.AUDIO: "Music", Kind.ARTWORK: "Artwork"}


def identifier_of(object_id: ObjectId, domain: str) -> str:
    """Return an object's identifier, the same wherever and whenever the archive answers under this domain."""
    return f"oai:{domain}:{quote(object_id.removeprefix(_OBJECT), safe=_LOCAL)}"


def object_of(identifier: str, domain: str) -> ObjectId | None:
    """Return the object that an identifier names, None for one of no archive under this domain."""
    prefix = f"oai:{domain}:"
    if not identifier.startswith(prefix) or len(identifier) > ARGUMENT_CHARACTERS_MAX:
        return None
    try:
        object_id = ObjectId(_OBJECT + unquote(identifier.removeprefix(prefix), errors="strict"))
    except (FormatError, UnicodeDecodeError):
        return None
    return object_id if identifier_of(object_id, domain) == identifier else None


@dataclass(frozen=True, slots=True)
class SetSpec:
    """A set: everything of a kind, or that of it which came from one kind of source. source: "" for all."""

    kind: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.source}" if self.source else self.kind

    @property
    def name(self) -> str:
        """The set in words."""
        words = KIND_NAMES[Kind(self.kind)]
        return f"{words} from {self.source}" if self.source else words


def parse_set(text: str) -> SetSpec | None:
    """Return the set that a text names, None when there can be none such."""
    kind, _, source = text.partition(":")
    return SetSpec(kind, source) if kind in tuple(Kind) and str(SetSpec(kind, source)) == text and ":" not in source else None
