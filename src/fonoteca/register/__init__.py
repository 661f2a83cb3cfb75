"""The register: holdings, decisions, drops and checks in a transactional database, SQLite or PostgreSQL (floor 2)."""

from fonoteca.register.register import Register
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

__all__ = [
    "Check",
    "CheckRow",
    "DecisionRow",
    "DecisionState",
    "Description",
    "DropRow",
    "FileRow",
    "MemberRow",
    "ObjectRow",
    "Outcome",
    "Register",
    "Totals",
    "VersionRow",
]
