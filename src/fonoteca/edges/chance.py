"""Chance: the one place that throws dice for more than names."""

from __future__ import annotations

import secrets

_STEPS = 1 << 32


def throw() -> float:
    """Return a number from 0 to below 1, each as likely as any other."""
    return secrets.randbelow(_STEPS) / _STEPS
