"""The register: holdings, decisions, drops and checks in a transactional database, SQLite or PostgreSQL (floor 2)."""

from fonoteca.register.auditing import Auditing, DueRow, Quarantined, SeenRow, Verdict
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
from fonoteca.register.sieve import Sieve

__all__ = [
    "Auditing",
    "Check",
    "CheckRow",
    "DecisionRow",
    "DecisionState",
    "Description",
    "DropRow",
    "DueRow",
    "FileRow",
    "MemberRow",
    "ObjectRow",
    "Outcome",
    "Quarantined",
    "Register",
    "SeenRow",
    "Sieve",
    "Totals",
    "Verdict",
    "VersionRow",
]
