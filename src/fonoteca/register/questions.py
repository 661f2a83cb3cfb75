"""Statements that are made once: to make one anew takes longer than to ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Select


@dataclass(frozen=True, slots=True)
class Question:
    """A statement, and what is asked with it."""

    statement: Select[Any]
    values: Mapping[str, Any]


def asked(connection: Connection, question: Select[Any] | Question) -> CursorResult[Any]:
    """Return what a connection answers."""
    if isinstance(question, Question):
        return connection.execute(question.statement, question.values)
    return connection.execute(question)
