"""May we hold it, share it, adapt it? Admissions, refusals and holds."""

from fonoteca.rights.gate import decide, judge_again, judge_restated, policy_digest, protected_refusal
from fonoteca.rights.rules import RULES, Basis, Rule
from fonoteca.rights.statements import find_licence
from fonoteca.rights.table import OWN_WORK_URI, Status, find_status, licence_named, licences
from fonoteca.rights.words import describe, describe_closed, describe_kept, describe_term

__all__ = [
    "OWN_WORK_URI",
    "RULES",
    "Basis",
    "Rule",
    "Status",
    "decide",
    "describe",
    "describe_closed",
    "describe_kept",
    "describe_term",
    "find_licence",
    "find_status",
    "judge_again",
    "judge_restated",
    "licence_named",
    "licences",
    "policy_digest",
    "protected_refusal",
]
