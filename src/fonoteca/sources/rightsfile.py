"""rights.toml: what the owner of a folder states about the rights in it. The schema is in docs/sources.md.

Bytes in, nouns out. Whatever is not understood is an error that names it: a misspelt key must not become a missing term.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from fonoteca.formats.terms import term_of
from fonoteca.model.errors import FormatError, SourceError
from fonoteca.model.rights import Act
from fonoteca.model.terms import ALWAYS, Term

RIGHTS_FILE = "rights.toml"
RIGHTS_BYTES_MAX = 262_144
_REMEDY = "See docs/sources.md for all that a rights.toml may say"
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_TERMS_KEYS = ("licence", "own", "acts", "attribution")
_FOLDER_KEYS = ("id", "title", "artist", *_TERMS_KEYS, "notices", "source", "from", "until", "territories", "files", "artwork")


@dataclass(frozen=True, slots=True)
class Terms:
    """One statement: a licence (address or SPDX name), or the operator's own work with the acts they grant; or only a credit."""

    licence: str = ""
    own_acts: frozenset[Act] = frozenset()
    attribution: str = ""

    @property
    def statement(self) -> str:
        """The licence, or `own: ` and the acts in order of name; "" where nothing is granted."""
        if self.own_acts:
            return "own: " + " ".join(sorted(self.own_acts))
        return self.licence


@dataclass(frozen=True, slots=True)
class FileTerms:
    """Terms for the files that a glob fits; `*` also matches `/`."""

    glob: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class RightsFile:
    """A checked rights.toml. id: "" where it gives none. notices: the name of a text file beside it, "" for none.

    term: from when, until when and where all of it may be shared.
    """

    id: str
    title: str
    artist: str
    source_uri: str
    notices: str
    terms: Terms
    files: tuple[FileTerms, ...]
    artwork: Terms | None
    term: Term = ALWAYS

    def override_for(self, path: str) -> FileTerms | None:
        """Return the last override whose glob fits a path, as in DEP-5; None where none does."""
        return next((f for f in reversed(self.files) if fnmatchcase(path, f.glob)), None)


def parse_rights(content: bytes, subject: str) -> RightsFile:
    """Return a checked rights.toml. subject: how to name it in errors. Raises: SourceError."""
    if len(content) > RIGHTS_BYTES_MAX:
        raise _wrong(subject, f"{len(content)} bytes, expected at most {RIGHTS_BYTES_MAX}")
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _wrong(subject, f"is not UTF-8 text: byte {error.start}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong(subject, f"is not TOML: {error}") from error
    _check_keys(table, _FOLDER_KEYS, subject, "")
    item_id = _text(table, "id", subject)
    if item_id and not _ID.fullmatch(item_id):
        raise _wrong(subject, f"id {item_id!r}: expected lower-case letters, digits, '.', '_', '-', at most 100")
    notices = _text(table, "notices", subject)
    if "/" in notices or "\0" in notices or notices in (".", ".."):
        raise _wrong(subject, f"notices {notices!r}: expected the name of a text file beside it")
    artwork = table.get("artwork")
    return RightsFile(
        id=item_id,
        title=_text(table, "title", subject),
        artist=_text(table, "artist", subject),
        source_uri=_text(table, "source", subject),
        notices=notices,
        terms=_terms(table, subject, ""),
        files=_overrides(table.get("files", []), subject),
        artwork=None if artwork is None else _section(artwork, _TERMS_KEYS, subject, "[artwork]"),
        term=_term(table, subject),
    )


def _term(table: Mapping[str, Any], subject: str) -> Term:
    try:
        return term_of(table.get("from"), table.get("until"), table.get("territories"))
    except FormatError as error:
        raise _wrong(subject, f"{error.subject}: {error.problem}") from error


def _overrides(value: Any, subject: str) -> tuple[FileTerms, ...]:
    if not isinstance(value, list):
        raise _wrong(subject, "files: expected [[files]] tables")
    overrides = []
    for number, table in enumerate(value, 1):
        where = f"[[files]] number {number}"
        terms = _section(table, ("glob", *_TERMS_KEYS), subject, where)
        glob = _text(table, "glob", subject)
        if not glob:
            raise _wrong(subject, f'{where}: expected a glob, such as glob = "live/*.ogg"')
        overrides.append(FileTerms(glob, terms))
    return tuple(overrides)


def _section(value: Any, keys: Collection[str], subject: str, where: str) -> Terms:
    if not isinstance(value, dict):
        raise _wrong(subject, f"{where}: expected a table")
    _check_keys(value, keys, subject, where)
    return _terms(value, subject, where)


def _terms(table: Mapping[str, Any], subject: str, where: str) -> Terms:
    at = f"{where}: " if where else ""
    licence, own = _text(table, "licence", subject), table.get("own", False)
    if not isinstance(own, bool):
        raise _wrong(subject, f"{at}own: expected true or false")
    if licence and own:
        raise _wrong(subject, f"{at}both licence and own: expected one of them")
    if not own:
        if "acts" in table:
            raise _wrong(subject, f"{at}acts without own = true: a licence says itself what it grants")
        return Terms(licence, attribution=_text(table, "attribution", subject))
    known = [act.value for act in Act]
    acts = table.get("acts")
    if not isinstance(acts, list) or not acts or any(act not in known for act in acts):
        raise _wrong(subject, f"{at}acts: expected a list of what you grant, out of {', '.join(known)}")
    return Terms(own_acts=frozenset(Act(act) for act in acts), attribution=_text(table, "attribution", subject))


def _text(table: Mapping[str, Any], key: str, subject: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise _wrong(subject, f"{key}: expected text in quotes, found {type(value).__name__}")
    return value.strip()


def _check_keys(table: Mapping[str, Any], known: Collection[str], subject: str, where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise _wrong(subject, f"{where + ': ' if where else ''}unknown key {key!r}{hint}")


def _wrong(subject: str, problem: str) -> SourceError:
    return SourceError(subject, problem, _REMEDY)
