"""The difference between two snapshots as a folder, and the newer one made again from the older: see docs/exports.md."""

from fonoteca.catalogue.deltas.applying import apply_delta
from fonoteca.catalogue.deltas.diffing import diff_snapshots
from fonoteca.catalogue.deltas.nouns import DELTA_FILE, Delta, DeltaPlace, parse_delta

__all__ = ["DELTA_FILE", "Delta", "DeltaPlace", "apply_delta", "diff_snapshots", "parse_delta"]
