"""Shares can be read, and say no more than is so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats.quantities import show_share


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (9.894e-7, "0.0000989 %"),
        (0.00012, "0.012 %"),
        (0.0335, "3.35 %"),
        (0.996, "99.6 %"),
        (0.9994, "99.9 %"),
        (0.99999, "over 99.9 %"),
        (1 - 1e-12, "100 %"),
        (1.0, "100 %"),
    ],
)
def test_shares(share: float, shown: str) -> None:
    assert show_share(share) == shown


@given(st.floats(0, 1))
def test_no_share_is_shown_with_an_exponent_or_as_all_when_it_is_not(share: float) -> None:
    shown = show_share(share)
    assert "e" not in shown.replace("over", "")
    assert (shown == "100 %") == (share >= 1 - 1e-9)
