"""What an engine would read to answer a statement, in words that both engines share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, UniqueConstraint

from fonoteca.register.schema import metadata

_SQLITE_STEP = re.compile(
    r"(?P<how>SEARCH|SCAN) (?P<table>\w+)"
    r"(?: USING (?:(?:AUTOMATIC (?:PARTIAL )?)?(?:COVERING )?INDEX (?P<index>\w+)|INTEGER PRIMARY KEY))?(?P<condition> \(.*\))?"
)
_SMALL = ("tally", "drop", "withdrawal")
"""Tables that stay small whatever is held, and may be read whole."""

_PRETENDED_ROWS = 10_000_000
_PRETENDED = f"""
    UPDATE pg_class SET relpages = 1, reltuples = {_PRETENDED_ROWS}
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i') AND relname !~ '^(pk_)?(tally|drop|withdrawal)$'
"""
"""PostgreSQL plans for so many rows a page: an empty table of one page looks to it like one of ten million rows."""


_PASSES = (
    re.compile(r"DELETE FROM \S+$"),  # a register made anew
    re.compile(r"SELECT .*\sFROM drop_member ORDER BY drop_member.drop_id DESC", re.DOTALL),  # what drops carry, as a whole
    re.compile(r"SELECT holding.recording_id, .*\sFROM object JOIN version", re.DOTALL),  # every track held
    re.compile(r"SELECT (?!.*LIMIT).* ORDER BY (object\.object_id|drop\.id|drop_member\.object_id).*", re.DOTALL),
    re.compile(r'SELECT (?!.*LIMIT)[^()]*\sFROM "?(\w+)"? ORDER BY "?\1"?\.[^()]*$', re.DOTALL),  # a dump of a table
)
"""Statements that read everything, and that nobody waits for."""


def reads_everything(statement: str) -> bool:
    """Return whether a statement is known to be a pass over all that is held."""
    return " WHERE " not in statement and any(each.match(statement) for each in _PASSES)


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """How one table is read. index: its name in the schema, "" for none. whole: no condition narrows what is read of it."""

    index: str
    whole: bool
    table: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """accesses: in order of index. sorts: whether rows are put in order after they were read."""

    accesses: tuple[Access, ...]
    sorts: bool

    @property
    def indexes(self) -> set[str]:
        """The indexes used but primary keys. `NAME, whole`: all of it is read, in order; `table NAME`: a full scan.

        An index of few rows, which holds those alone that someone looks for, counts as a condition.
        """
        named = {each for each in self.accesses if each.table not in _SMALL and (each.whole or each.index != "pk")}
        return {_words(each) for each in named}


_OF_FEW = {str(i.name) for t in metadata.tables.values() for i in t.indexes if i.dialect_options["sqlite"]["where"] is not None}


def _words(access: Access) -> str:
    """Return how `Plan.indexes` names an access."""
    if not access.index:
        return f"table {access.table}"
    return f"{access.index}, whole" if access.whole and access.index not in _OF_FEW else access.index


_AS_FOR_FEW = ("enable_hashjoin = off", "enable_mergejoin = off", "enable_seqscan = off", "random_page_cost = 0")
"""Nested loops, and scans only where there is no other way: without statistics PostgreSQL expects far more rows than come."""


def pretend_large(connection: Connection) -> None:
    """Let PostgreSQL plan for empty tables as if they were large. They must have held a row, which gave them a page."""
    connection.exec_driver_sql(_PRETENDED)


def plan_of(connection: Connection, statement: str, parameters: Any = ()) -> Plan:
    """Return how the engine would answer a statement."""
    if connection.dialect.name == "sqlite":
        steps = [str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        accesses = [each for step in steps for each in _sqlite_access(connection, step)]
        return Plan(tuple(sorted(accesses)), any("USE TEMP B-TREE" in step for step in steps))
    for setting in _AS_FOR_FEW:
        connection.exec_driver_sql(f"SET LOCAL {setting}")
    [root] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    nodes = list(_nodes(root["Plan"]))
    accesses = [each for node in nodes for each in _postgresql_access(node)]
    return Plan(tuple(sorted(accesses)), any(node["Node Type"].endswith("Sort") for node in nodes))


def _sqlite_access(connection: Connection, step: str) -> Iterator[Access]:
    match = _SQLITE_STEP.match(step)
    if match is None or match["table"] in ("CONSTANT", "wanted") or re.match(r"SCAN \d+ CONSTANT", step):
        return
    if step == f"SEARCH {match['table']}":
        return  # the first or last row of an index
    if " USING " not in step:
        yield Access("", True, match["table"])
        return
    assert "AUTOMATIC" not in step, f"an index made for this question alone: {step}"
    whole = match["how"] == "SCAN"
    if match["index"] is None:
        yield Access("pk", whole, match["table"])
    else:
        yield Access(_index_name(connection, match["index"]), whole, match["table"])


def _index_name(connection: Connection, index: str) -> str:
    """Return the schema's name of an index; SQLite gives those of constraints names of its own."""
    if not index.startswith("sqlite_autoindex_"):
        return index
    columns = [row[2] for row in connection.exec_driver_sql(f"PRAGMA index_info('{index}')")]
    table = metadata.tables[re.sub(r"^sqlite_autoindex_(\w+)_\d+$", r"\1", index)]
    if [column.name for column in table.primary_key.columns] == columns:
        return "pk"
    [found] = [c for c in table.constraints if isinstance(c, UniqueConstraint) and [each.name for each in c.columns] == columns]
    return str(found.name)


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    below: Sequence[Mapping[str, Any]] = node.get("Plans", ())
    for each in below:
        yield from _nodes(each)


def _postgresql_access(node: Mapping[str, Any]) -> Iterator[Access]:
    kind, table = node["Node Type"], node.get("Relation Name", "")
    if kind == "Seq Scan":
        yield Access("", True, table)
    elif kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan"):
        index = str(node["Index Name"])
        yield Access("pk" if index.startswith("pk_") else index, "Index Cond" not in node, table)
