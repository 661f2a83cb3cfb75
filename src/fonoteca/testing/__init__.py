"""Shipped test suites, lying stores and strategies (floor 2)."""

from fonoteca.testing.blobs_suite import BlobsSuite
from fonoteca.testing.calls import Crash, CrashingCalls, FullDiskCalls
from fonoteca.testing.clocks import SteppingClock
from fonoteca.testing.liars import AnswersTwice, FailsOnNthCall, FlipsLastByte, Truncates
from fonoteca.testing.memory import MemoryBlobs
from fonoteca.testing.workers_suite import DyingWorkersSuite, WorkersSuite

__all__ = [
    "AnswersTwice",
    "BlobsSuite",
    "Crash",
    "CrashingCalls",
    "DyingWorkersSuite",
    "FailsOnNthCall",
    "FlipsLastByte",
    "FullDiskCalls",
    "MemoryBlobs",
    "SteppingClock",
    "Truncates",
    "WorkersSuite",
]
