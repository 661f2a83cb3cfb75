"""Finding rows of other people's lists in a snapshot: see docs/decisions/match.md.

QuestionFile -> Named -> Asked (a sieve of signatures) -> scan -> Candidates -> Answers -> a file of answers
"""

from fonoteca.catalogue.matching.answers import RULES, Answers
from fonoteca.catalogue.matching.finding import SCORE_MIN, Sought, find, ids_of
from fonoteca.catalogue.matching.questions import QuestionFile
from fonoteca.catalogue.matching.signatures import Named
from fonoteca.catalogue.matching.writing import ANSWER_COLUMNS, AnsweredRows, answered, write_answers

__all__ = [
    "ANSWER_COLUMNS",
    "RULES",
    "SCORE_MIN",
    "AnsweredRows",
    "Answers",
    "Named",
    "QuestionFile",
    "Sought",
    "answered",
    "find",
    "ids_of",
    "write_answers",
]
