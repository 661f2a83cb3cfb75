"""Licences and terms in a person's words."""

from __future__ import annotations

from datetime import UTC, datetime, time

from fonoteca.model.rights import Act, Admission, Duty, Licence
from fonoteca.model.terms import Closed, Place, Term

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


def describe_term(term: Term) -> str:
    """Return when and where it holds, such as `from 1 May 2027 until 1 May 2030, in AT, DE only`; "" for always, everywhere."""
    parts = [f"{word} {_moment(moment)}" for word, moment in (("from", term.starts), ("until", term.ends)) if moment is not None]
    where = "" if term.territories is None else f"in {', '.join(sorted(term.territories))} only"
    return ", ".join(part for part in (" ".join(parts), where) if part)


def describe_closed(term: Term, closed: Closed) -> str:
    """Return why a term does not let something out, such as `it is available from 1 May 2027`."""
    if closed is Closed.EARLY:
        assert term.starts is not None, "it starts"
        return f"it is available from {_moment(term.starts)}"
    if closed is Closed.OVER:
        assert term.ends is not None, "it ends"
        return f"it was available until {_moment(term.ends)}"
    return f"it is available {describe_term(Term(territories=term.territories))}"


def describe_kept(admission: Admission, place: Place) -> str:
    """Return why what is admitted does not go out to a place at the moment of the decision."""
    closed = admission.term.closed(admission.decided_at, place) if Act.SHARE in admission.acts else None
    return describe_closed(admission.term, closed) if closed else "its admission lets this archive keep it, and not share it"


def _moment(moment: datetime) -> str:
    """Return a moment in UTC, midnight as its day alone."""
    at = moment.astimezone(UTC)
    day = f"{at.day} {at:%B} {at.year}"
    return day if at.time() == time() else f"{day}, {at:%H:%M:%S} UTC"
