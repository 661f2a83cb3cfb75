"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Return the folder of other projects' test data; in CI its absence is a failure, elsewhere one clear skip."""
    if (_FIXTURES / "README.md").is_file():
        return _FIXTURES
    message = "fixtures are missing: expected the folder ../shared/fixtures beside this checkout"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
