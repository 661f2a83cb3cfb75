"""Are these the bytes? One pass that reads, hashes and stages."""

from fonoteca.ingest.staging import IngestContext, Staged, stage, stage_all
from fonoteca.ingest.taking import TAKE_TASK, Errand, Taken, TakeSettings, Verdict, take_file

__all__ = ["TAKE_TASK", "Errand", "IngestContext", "Staged", "TakeSettings", "Taken", "Verdict", "stage", "stage_all", "take_file"]
