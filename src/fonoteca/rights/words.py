"""Licences in a person's words."""

from __future__ import annotations

from fonoteca.model.rights import Act, Duty, Licence

_DUTIES = (
    (Duty.ATTRIBUTION, "credit the author"),
    (Duty.NOTICE, "keep the licence notice"),
    (Duty.SHARE_ALIKE, "share changes alike"),
    (Duty.SOURCE, "offer the source"),
)


def describe(licence: Licence) -> str:
    """Return what a listener may do and must do, on one line: `may be shared, not sold, not changed; credit the author`."""
    if Act.HOLD not in licence.permits:
        granted = "may not be copied whole"
    else:
        granted = ", ".join((_shared(licence), _sold(licence), _changed(licence)))
    duties = [words for duty, words in _DUTIES if duty in licence.requires and _shows(duty, licence)]
    return "; ".join(part for part in (granted, ", ".join(duties)) if part)


def _shared(licence: Licence) -> str:
    return "may be shared" if Act.SHARE in licence.permits else "may be kept, not shared"


def _sold(licence: Licence) -> str:
    return "sold" if Act.COMMERCIAL in licence.permits else "not sold"


def _changed(licence: Licence) -> str:
    if Act.DERIVE in licence.permits:
        return "changed"
    return "changed in format only" if licence.format_change else "not changed"


def _shows(duty: Duty, licence: Licence) -> bool:
    """Credit says enough where it is asked for; the notice is named where it stands alone."""
    return duty is not Duty.NOTICE or Duty.ATTRIBUTION not in licence.requires
