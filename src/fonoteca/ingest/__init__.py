"""Are these the bytes? One pass that reads, hashes and stages."""

from fonoteca.ingest.staging import IngestContext, Verdict, stage

__all__ = ["IngestContext", "Verdict", "stage"]
