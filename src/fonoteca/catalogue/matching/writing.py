"""The rows of a file of questions with their answers beside them, as a stream or as a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from fonoteca.catalogue.duck import DuckSettings, duck_errors, open_duck, quoted
from fonoteca.catalogue.matching.answers import RULES, Answers
from fonoteca.catalogue.matching.questions import QuestionFile
from fonoteca.model.errors import SourceError, UsageError

ANSWER_COLUMNS = ("match_id", "match_score", "match_rank", "match_rule")
_FORMATS = {".csv": "FORMAT csv, HEADER", ".jsonl": "FORMAT json", ".parquet": "FORMAT parquet, COMPRESSION zstd"}
_RULES = pa.array(RULES)

AnsweredRows: TypeAlias = pa.RecordBatchReader
"""Rows of a list with what was found for each, streamed."""


def answered(questions: QuestionFile, answers: Answers, ids: pa.Array) -> AnsweredRows:
    """Return the rows of the file in order with ANSWER_COLUMNS added, null where there is no answer; streamed.

    Columns of those names that the file has already are left out. Raises: SourceError when the file is not as it was.
    """
    names = [name for name in questions.schema.names if name not in ANSWER_COLUMNS]
    kinds = (pa.large_string(), pa.float32(), pa.uint32(), pa.string())
    schema = pa.schema([*(questions.schema.field(n) for n in names), *map(pa.field, ANSWER_COLUMNS, kinds)])

    def batches() -> Iterator[pa.RecordBatch]:
        begin = 0
        for batch in questions.batches():
            some = answers.take(np.arange(begin, min(begin + len(batch), len(answers.ranks))))
            none = some.ranks == 0
            if len(none) != len(batch):
                break
            added = [
                ids.slice(begin, len(batch)),
                pa.array(some.scores, mask=none),
                pa.array(some.ranks, mask=none),
                _RULES.take(pa.array(some.rules, mask=none)),
            ]
            yield pa.RecordBatch.from_arrays([*(batch.column(n) for n in names), *added], schema=schema)
            begin += len(batch)
        if begin != len(answers.ranks):
            raise SourceError(str(questions.path), "changed while it was read", "Match it again when nothing writes to it.")

    return pa.RecordBatchReader.from_batches(schema, batches())


def check_target(target: Path) -> None:
    """Raise UsageError when the file's suffix does not say how to write it."""
    if target.suffix not in _FORMATS:
        raise UsageError(str(target), "cannot tell the format to write", f"Name it {', '.join(_FORMATS)}.")


def write_answers(reader: pa.RecordBatchReader, target: Path) -> None:
    """Write the rows to a file below a staging folder; its suffix says how: .csv, .jsonl or .parquet.

    Raises: UsageError for another suffix.
    """
    check_target(target)
    with duck_errors(str(target)), open_duck(DuckSettings(threads=1), None) as duck:
        duck.register("answers", reader)
        duck.execute(f"COPY answers TO {quoted(target)} ({_FORMATS[target.suffix]})")
