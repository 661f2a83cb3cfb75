"""The register: holdings, decisions, drops and checks in a transactional database, SQLite or PostgreSQL (floor 2)."""

from fonoteca.register.asking import (
    SOURCE_CONFIRMED,
    SOURCE_DOUBTED,
    SOURCE_RESTATED,
    SOURCE_SILENT,
    AskedRow,
    Asking,
)
from fonoteca.register.auditing import Auditing, DueRow, Quarantined, SeenRow, Verdict
from fonoteca.register.changes import ChangeRow, Changes, Position, Span
from fonoteca.register.naming import IGNORED_ARTICLES, name_key, object_key_of, sort_name
from fonoteca.register.register import Register
from fonoteca.register.review import Review, Sift, Tally
from fonoteca.register.rows import (
    Check,
    CheckRow,
    DecisionRow,
    DecisionState,
    Description,
    DropRow,
    FileRow,
    MemberRow,
    ObjectRow,
    Outcome,
    Totals,
    VersionRow,
)
from fonoteca.register.shelf import AlbumRow, ArtistRow, GenreRow, Shelf, SongRow
from fonoteca.register.shelfqueries import Order, Page
from fonoteca.register.shelving import genres_of
from fonoteca.register.sieve import Sieve
from fonoteca.register.soundness import Soundness, SoundnessKnown
from fonoteca.register.versions import recording_of

__all__ = [
    "IGNORED_ARTICLES",
    "SOURCE_CONFIRMED",
    "SOURCE_DOUBTED",
    "SOURCE_RESTATED",
    "SOURCE_SILENT",
    "AlbumRow",
    "ArtistRow",
    "AskedRow",
    "Asking",
    "Auditing",
    "ChangeRow",
    "Changes",
    "Check",
    "CheckRow",
    "DecisionRow",
    "DecisionState",
    "Description",
    "DropRow",
    "DueRow",
    "FileRow",
    "GenreRow",
    "MemberRow",
    "ObjectRow",
    "Order",
    "Outcome",
    "Page",
    "Position",
    "Quarantined",
    "Register",
    "Review",
    "SeenRow",
    "Shelf",
    "Sieve",
    "Sift",
    "SongRow",
    "Soundness",
    "SoundnessKnown",
    "Span",
    "Tally",
    "Totals",
    "Verdict",
    "VersionRow",
    "genres_of",
    "name_key",
    "object_key_of",
    "recording_of",
    "sort_name",
]
