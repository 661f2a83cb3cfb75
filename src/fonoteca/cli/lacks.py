"""Signatures that are missing, as people and machines are told."""

from __future__ import annotations

from typing import Any

from fonoteca.editions.trust import ID_SHOWN, Lack


def lack_said(lack: Lack) -> str:
    """Return what is missing, as people are told."""
    return f"{lack.role}.json: {lack.missing} of {', '.join(each[:ID_SHOWN] for each in lack.key_ids)} must sign"


def lack_json(lack: Lack) -> dict[str, Any]:
    """Return what is missing, as `--json` shows it."""
    return {"role": lack.role, "missing": lack.missing, "keys": list(lack.key_ids)}
