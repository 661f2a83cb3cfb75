"""Notices: what a holder of rights, or anyone who found a mistake, sends to the archive, and what was decided about it.

Who sent it and how to reach them is theirs: it is in one table alone, and it goes some days after the decision. Where a notice came
from is kept as digests, so that floods are seen, and goes with it.
"""

from fonoteca.people.notices.notices import Notices
from fonoteca.people.notices.nouns import (
    ANSWER_LETTERS_MOST,
    CONTACT_LETTERS_MOST,
    PLACE_LETTERS_MOST,
    REASONS_LETTERS_MOST,
    Act,
    Brief,
    Likeness,
    Notice,
    NoticeKind,
    NoticeState,
    Queued,
    Standing,
    Step,
    Verdict,
    Words,
)
from fonoteca.people.notices.tally import Roughly, Tally

__all__ = [
    "ANSWER_LETTERS_MOST",
    "CONTACT_LETTERS_MOST",
    "PLACE_LETTERS_MOST",
    "REASONS_LETTERS_MOST",
    "Act",
    "Brief",
    "Likeness",
    "Notice",
    "NoticeKind",
    "NoticeState",
    "Notices",
    "Queued",
    "Roughly",
    "Standing",
    "Step",
    "Tally",
    "Verdict",
    "Words",
]
