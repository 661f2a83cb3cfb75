"""The tests of swarms have their archives from the world that the tests of flows made."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "flows"))
