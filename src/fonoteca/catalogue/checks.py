"""The rules for raw rows, as SQL: each field's value as the catalogue keeps it, and what makes its row a bad one. Pure.

One table of rules for every kind of import, in SQL because there may be 256 million rows: about 0.5 us a row on one core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fonoteca.catalogue.desk import HELD, LISTENING, RECORDINGS, REDIRECTS
from fonoteca.catalogue.duck import quoted
from fonoteca.model.ids import RECORDING_NAMESPACE, UUID_PATTERN

TEXT_CHARS_MAX = 4096
"""MusicBrainz has titles of up to some 2,000 characters; longer text in one field is a broken row."""
DURATION_MS_MAX = 7 * 24 * 3600 * 1000
"""A week: there are recordings of a day and more, and numbers beyond this are in the wrong unit."""
YEAR_MIN, YEAR_MAX = 1000, 2200
COUNT_MAX = 2**53
"""Counts up to here survive every JSON reader, and sums of many stay exact in DuckDB's 128-bit sums."""
NUMBER_MAX = 32767
"""Disc and track numbers fit the 16 bits that MusicBrainz gives them."""

_ISRC = "[A-Z]{2}[A-Z0-9]{3}[0-9]{7}"
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of one field. value: SQL. faults: SQL conditions of a bad row, each with SQL that says why.

    remark: SQL condition under which the row stays and the field goes, counted; "" for none.
    """

    value: str
    faults: tuple[tuple[str, str], ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A raw column as SQL. kind: its DuckDB type. field: its name, for reasons."""

    sql: str
    kind: str
    field: str

    @property
    def text(self) -> str:
        """The cell as trimmed text, "" where there is none."""
        return f"trim(coalesce({self.sql if self.kind == 'VARCHAR' else f'CAST({self.sql} AS VARCHAR)'}, ''))"

    @property
    def shown(self) -> str:
        """The cell's first characters, quoted, for reasons."""
        return f"'''' || substr({self.text}, 1, 40) || ''''"

    def why(self, problem: str) -> str:
        """Return SQL for a reason that is the same for every row."""
        return quoted(f"{self.field}: {problem}")

    def why_shown(self, problem: str) -> str:
        """Return SQL for a reason that ends in what was found."""
        return f"{quoted(f'{self.field}: {problem}, found ')} || {self.shown}"


def _text(cell: Cell, required: bool = False) -> Rule:
    if cell.kind not in ("VARCHAR", *_INTEGERS):
        return Rule(f"{cell.text}", ((f"{cell.sql} IS NOT NULL", cell.why(f"expected text, found {cell.kind}")),))
    faults = [
        (f"contains({cell.sql}, chr(0))", cell.why("a NUL character")),
        (f"length({cell.sql}) > {TEXT_CHARS_MAX}", cell.why(f"more than {TEXT_CHARS_MAX} characters")),
    ]
    if cell.kind != "VARCHAR":
        faults = []
    if required:
        faults.append((f"{cell.text} = ''", cell.why("empty")))
    return Rule(cell.text, tuple(faults))


def _required_text(cell: Cell) -> Rule:
    return _text(cell, required=True)


def _number(cell: Cell) -> tuple[str, list[tuple[str, str]]]:
    """Return SQL for a finite DOUBLE or NULL, and the faults of what is none."""
    if cell.kind == "BOOLEAN":
        return "NULL", [(f"{cell.sql} IS NOT NULL", cell.why("expected a number, found a boolean"))]
    value = f"TRY_CAST(nullif({cell.text}, '') AS DOUBLE)"
    return value, [
        (f"{value} IS NULL AND {cell.text} <> ''", cell.why_shown("expected a number")),
        (f"NOT isfinite({value})", cell.why_shown("expected a finite number")),
    ]


def _count(cell: Cell, count_max: int = COUNT_MAX, required: bool = False) -> Rule:
    """Return the rule for a whole number from 0 to count_max; NULL for nothing."""
    between = cell.why_shown(f"expected 0 to {count_max}")
    if cell.kind in _INTEGERS:
        value, faults = f"CAST({cell.sql} AS BIGINT)", [(f"{cell.sql} NOT BETWEEN 0 AND {count_max}", between)]
    else:
        number, faults = _number(cell)
        faults += [
            (f"{number} <> floor({number})", cell.why_shown("expected a whole number")),
            (f"{number} NOT BETWEEN 0 AND {count_max}", between),
        ]
        value = f"TRY_CAST({number} AS BIGINT)"
    if required:
        faults.append((f"{value} IS NULL", cell.why("empty")))
    return Rule(value, tuple(faults))


def _required_count(cell: Cell) -> Rule:
    return _count(cell, required=True)


def _bytes(cell: Cell) -> Rule:
    rule = _count(cell)
    return Rule(f"coalesce({rule.value}, 0)", rule.faults)


def _place(cell: Cell) -> Rule:
    """Return the rule for a disc or track number; 0 is how many sources say unknown."""
    rule = _count(cell, NUMBER_MAX)
    return Rule(f"TRY_CAST(nullif({rule.value}, 0) AS SMALLINT)", rule.faults)


def _year(cell: Cell) -> Rule:
    """Return the rule for the year of a date such as 2010, 2010-05 or 2010-05-01; NULL for nothing and for 0000."""
    why = cell.why_shown(f"expected a date between {YEAR_MIN} and {YEAR_MAX}")
    if cell.kind in _INTEGERS:
        value = f"TRY_CAST(nullif({cell.sql}, 0) AS SMALLINT)"
        return Rule(value, ((f"{cell.sql} <> 0 AND {cell.sql} NOT BETWEEN {YEAR_MIN} AND {YEAR_MAX}", why),))
    found = f"TRY_CAST(nullif(regexp_extract({cell.text}, '^([0-9]{{1,4}})(-[0-9]{{2}}){{0,2}}$', 1), '') AS SMALLINT)"
    faults = (
        (f"{cell.text} <> '' AND {found} IS NULL", why),
        (f"{found} <> 0 AND {found} NOT BETWEEN {YEAR_MIN} AND {YEAR_MAX}", why),
    )
    return Rule(f"nullif({found}, 0)", faults)


def _duration(cell: Cell, unit_ms: int) -> Rule:
    if cell.kind in _INTEGERS:
        number = f"coalesce(CAST({cell.sql} AS BIGINT), 0)"
        value, faults = f"TRY_CAST({number} * {unit_ms} AS INTEGER)", list[tuple[str, str]]()
    else:
        found, faults = _number(cell)
        number = f"coalesce({found}, 0)"
        value = f"TRY_CAST(round({number} * {unit_ms}) AS INTEGER)"
    faults.append((f"{number} * {unit_ms} NOT BETWEEN 0 AND {DURATION_MS_MAX}", cell.why_shown("expected 0 to a week")))
    return Rule(value, tuple(faults))


def _duration_ms(cell: Cell) -> Rule:
    return _duration(cell, 1)


def _duration_s(cell: Cell) -> Rule:
    return _duration(cell, 1000)


def _uuid(cell: Cell, required: bool = False) -> Rule:
    empty = ((f"{cell.sql} IS NULL", cell.why("empty")),) if required else ()
    if cell.kind == "UUID":
        return Rule(cell.sql, empty)
    fits = f"regexp_full_match(lower({cell.text}), '{UUID_PATTERN}')"
    faults = ((f"{cell.text} <> '' AND NOT {fits}", cell.why_shown("expected a UUID")), *empty)
    return Rule(f"CASE WHEN {fits} THEN TRY_CAST({cell.text} AS UUID) END", faults)


def _required_uuid(cell: Cell) -> Rule:
    return _uuid(cell, required=True)


def _uuid_or_text(cell: Cell) -> Rule:
    return _uuid(cell) if cell.kind == "UUID" else _text(cell)


def _isrc(cell: Cell) -> Rule:
    """Return the rule for one or several ISRCs (ISO 3901); what is none is dropped, for it says nothing of the row."""
    parts = f"list_filter(string_split_regex(upper(replace({cell.text}, '-', '')), '[\\s,;]+'), lambda i: i <> '')"
    good = f"list_filter({parts}, lambda i: regexp_full_match(i, '{_ISRC}'))"
    plain = f"regexp_full_match({cell.sql}, '{_ISRC}')"
    several = f"array_to_string(list_sort(list_distinct({good})), ' ')"
    value = f"CASE WHEN {plain} THEN {cell.sql} WHEN {cell.text} = '' THEN '' ELSE {several} END"
    remark = f"{cell.text} <> '' AND NOT {plain} AND len({good}) < len({parts})"
    return Rule(value, (), remark)


FIELDS: Mapping[str, Mapping[str, Callable[[Cell], Rule]]] = {
    RECORDINGS: {
        "id": _uuid,
        "uuid": _uuid,
        "key": _text,
        "title": _required_text,
        "artist": _text,
        "release": _text,
        "release_id": _uuid_or_text,
        "disc": _place,
        "track": _place,
        "year": _year,
        "duration_s": _duration_s,
        "duration_ms": _duration_ms,
        "isrc": _isrc,
        "licence": _text,
        "source_uri": _text,
        "genre": _text,
        "file_bytes": _bytes,
        "listens": _count,
        "listeners": _count,
    },
    LISTENING: {
        "id": _uuid,
        "uuid": _uuid,
        "key": _text,
        "title": _text,
        "artist": _text,
        "listens": _required_count,
        "listeners": _count,
    },
    REDIRECTS: {"id": _required_uuid, "into": _required_uuid},
    HELD: {
        "id": _required_uuid,
        "title": _text,
        "artist": _text,
        "release": _text,
        "release_id": _text,
        "year": _year,
        "duration_ms": _duration_ms,
        "licence": _text,
        "file_bytes": _bytes,
        "object_id": _required_text,
        "logical_path": _required_text,
    },
}
"""The fields that raw rows of each kind may have, and the rule of each."""

_RECORDING_COLUMNS: Mapping[str, str] = {
    "id": "UUID",
    "live": "BOOLEAN",
    "title": "VARCHAR",
    "artist": "VARCHAR",
    "release": "VARCHAR",
    "release_id": "UUID",
    "disc": "SMALLINT",
    "track": "SMALLINT",
    "year": "SMALLINT",
    "duration_ms": "INTEGER",
    "isrc": "VARCHAR",
    "licence_uri": "VARCHAR",
    "source_uri": "VARCHAR",
    "genre": "VARCHAR",
    "file_bytes": "BIGINT",
    "listens": "BIGINT",
    "listeners": "BIGINT",
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    RECORDINGS: _RECORDING_COLUMNS,
    HELD: {**_RECORDING_COLUMNS, "object_id": "VARCHAR", "logical_path": "VARCHAR"},
    LISTENING: {"id": "UUID", "title": "VARCHAR", "artist": "VARCHAR", "listens": "BIGINT", "listeners": "BIGINT"},
    REDIRECTS: {"id": "UUID", "into": "UUID"},
}
"""What an import keeps of each kind of rows. live: whether the id is an MBID."""

_ABSENT: Mapping[str, str] = {"VARCHAR": "''", "SMALLINT": "NULL", "BIGINT": "NULL", "INTEGER": "0", "UUID": "NULL"}
_NEVER_NULL = {"file_bytes": "0"}
_RENAMED = {"duration_s": "duration_ms", "licence": "licence_uri"}


@dataclass(frozen=True, slots=True)
class Checked:
    """SQL over a raw relation. columns: what is kept, as `value AS name`, in order. fault: the reason or NULL. remark: likewise.

    key: what tells rows apart, for kinds where a second one would count twice.
    """

    columns: str
    fault: str
    remark: str
    key: str


def checked(rows: str, cells: Mapping[str, Cell], source: str, key_source: str) -> Checked:
    """Return the SQL for rows of a kind with these fields. source: whose rows they are. key_source: whose keys they have."""
    rules = {field: FIELDS[rows][field](cell) for field, cell in cells.items()}
    values = {_RENAMED.get(field, field): rule.value for field, rule in rules.items()}
    faults = [fault for rule in rules.values() for fault in rule.faults]
    if rows != REDIRECTS:
        values |= _identity(cells, rules, key_source or source)
        named = rows == LISTENING and {"title", "artist"} <= set(cells)
        lacks = f"{values['id']} IS NULL" + (f" AND ({rules['title'].value} = '' OR {rules['artist'].value} = '')" if named else "")
        faults.append((lacks, "'no id'"))
    if rows in (RECORDINGS, HELD):
        given = cells.get("release_id")
        values["release_id"] = given.sql if given and given.kind == "UUID" else _release_id(values, source)
    if {"listens", "listeners"} <= set(cells):
        listens, listeners = rules["listens"].value, rules["listeners"].value
        why = f"'listeners: ' || {listeners} || ' listeners cannot have listened ' || {listens} || ' times'"
        faults.append((f"{listeners} > {listens}", why))
    kept = [
        f"CAST({values.get(name, _NEVER_NULL.get(name, _ABSENT.get(kind, 'NULL')))} AS {kind}) AS {name}"
        for name, kind in COLUMNS[rows].items()
    ]
    remarks = [(rule.remark, f"{quoted(field)} || ': left out'") for field, rule in rules.items() if rule.remark]
    key = ", ".join(values.get(name, "''") for name in ("id", "title", "artist"))
    return Checked(", ".join(kept), _first(faults), _first(remarks), key)


def _first(reasons: list[tuple[str, str]]) -> str:
    """Return SQL for the first reason whose condition holds, else NULL."""
    if not reasons:
        return "NULL"
    return "CASE " + " ".join(f"WHEN {condition} THEN {reason}" for condition, reason in reasons) + " END"


def _identity(cells: Mapping[str, Cell], rules: Mapping[str, Rule], key_source: str) -> dict[str, str]:
    """Return SQL for a row's id and whether it is live: its MBID, else the source's own UUID, else one made of its key."""
    ids = [rules[field].value for field in ("id", "uuid") if field in rules]
    if "key" in cells:
        key, prefix = cells["key"].text, quoted(key_source + ":")
        ids.append(f"CASE WHEN {key} <> '' THEN {uuid_of(f'{prefix} || {key}')} END")
    # MBIDs are UUIDs version 4 (a few of 2000 are version 3); version 5 are ours, which what is held may have.
    mbid = rules["id"].value if "id" in rules else "NULL"
    live = f"coalesce(substr(CAST({mbid} AS VARCHAR), 15, 1) <> '5', false)" if "id" in rules else "false"
    return {"id": f"coalesce({', '.join(ids)})" if ids else "NULL::UUID", "live": live}


def _release_id(values: Mapping[str, str], source: str) -> str:
    """Return SQL for an id that no other source's release has; NULL when nothing names one.

    A UUID stands for itself. Other ids hold within their source only, and releases without any are told apart by title and artist.
    """
    given, release, artist = (values.get(name, "''") for name in ("release_id", "release", "artist"))
    prefix = quoted(f"release:{source}:")
    own, named = uuid_of(f"{prefix} || {given}"), uuid_of(f"{prefix} || {artist} || chr(0) || {release}")
    return f"""CASE WHEN regexp_full_match(lower({given}), '{UUID_PATTERN}') THEN TRY_CAST({given} AS UUID)
        WHEN {given} <> '' THEN {own} WHEN {release} <> '' THEN {named} END"""


def uuid_of(name: str) -> str:
    """Return SQL for the UUID version 5 of a text in the namespace of recordings (RFC 9562 section 5.5), as `RecordingId.of`."""
    digest = f"sha1(from_hex('{RECORDING_NAMESPACE.hex}') || encode({name}))"
    variant = f"substr('89ab89ab89ab89ab', instr('0123456789abcdef', substr({digest}, 17, 1)), 1)"
    parts = f"substr({digest}, 1, 12) || '5' || substr({digest}, 14, 3) || {variant} || substr({digest}, 18, 15)"
    return f"CAST({parts} AS UUID)"
