"""Dossiers: what is kept of an item about which rights did not admit, in the event log and the register: JSON of one line, bounded.

`{"title": ..., "artist": ..., "from": ..., "ref": ..., "evidence": [[scheme, statement, source, declarer, observed_at, digest]],
"more": 0}`: `from` is its address, `ref` how it is acquired again, the digest that of rights.json, and `more` how many pieces of
evidence were too many.
"""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import blake2b

from fonoteca.formats.instants import instant, parse_instant
from fonoteca.formats.strictjson import parse_json, whole_text
from fonoteca.model.errors import FormatError
from fonoteca.model.rights import Dossier, PublishedEvidence, Scheme

EVIDENCE_MAX = 50
"""Pieces of evidence: tags of an album's tracks that say the same are one statement mostly."""

STATEMENT_CHARACTERS_MAX = 2000
NAME_CHARACTERS_MAX = 300
DOSSIER_BYTES_MAX = 1 << 18
_CUT = "…"


def bounded(dossier: Dossier) -> Dossier:
    """Return a dossier as it is kept: with no text and no list that is too long, and no text that JSON cannot hold."""
    kept = tuple(
        PublishedEvidence(
            each.scheme,
            _short(each.statement, STATEMENT_CHARACTERS_MAX),
            _short(each.source_uri, STATEMENT_CHARACTERS_MAX),
            _short(each.declarer, NAME_CHARACTERS_MAX),
            each.observed_at,
            each.salted_sha256,
        )
        for each in dossier.evidence[:EVIDENCE_MAX]
    )
    more = dossier.more + max(0, len(dossier.evidence) - EVIDENCE_MAX)
    found = Dossier(
        _short(dossier.title, NAME_CHARACTERS_MAX),
        _short(dossier.artist, NAME_CHARACTERS_MAX),
        _short(dossier.source_uri, STATEMENT_CHARACTERS_MAX),
        _short(dossier.reference, STATEMENT_CHARACTERS_MAX),
        kept,
        more,
    )
    while len(dossier_json(found)) > DOSSIER_BYTES_MAX:  # letters beyond ASCII take up to twelve bytes each
        found = replace(found, evidence=found.evidence[:-1], more=found.more + 1)
    return found


def dossier_json(dossier: Dossier) -> str:
    """Return a bounded dossier as text of one line, "" for an empty one."""
    if dossier == Dossier():
        return ""
    rows = [
        [str(e.scheme), e.statement, e.source_uri, e.declarer, instant(e.observed_at), e.salted_sha256] for e in dossier.evidence
    ]
    told = {"title": dossier.title, "artist": dossier.artist, "from": dossier.source_uri, "ref": dossier.reference}
    return json.dumps({**told, "evidence": rows, "more": dossier.more}, ensure_ascii=True, separators=(",", ":"))


def parse_dossier(text: str, subject: str) -> Dossier:
    """Return a dossier. Raises: FormatError."""
    if not text:
        return Dossier()
    if len(text) > DOSSIER_BYTES_MAX:
        raise FormatError(subject, f"a dossier of {len(text):,} characters")
    found = parse_json(text.encode(), subject)
    try:
        evidence = tuple(
            PublishedEvidence(Scheme(scheme), statement, source, declarer, parse_instant(at), digest)
            for scheme, statement, source, declarer, at, digest in found["evidence"]
        )
        return Dossier(found["title"], found["artist"], found["from"], found["ref"], evidence, int(found["more"]))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(subject, f"not a dossier: {error!r}") from None


def said_digest(dossier: Dossier) -> str:
    """Return a digest of what the evidence says, without when it was read: 32 hexadecimal digits, "" for no evidence."""
    if not dossier.evidence:
        return ""
    rows = [[str(e.scheme), e.statement, e.source_uri, e.declarer, e.salted_sha256] for e in dossier.evidence]
    return blake2b(json.dumps([rows, dossier.more]).encode(), digest_size=16).hexdigest()


def text_keys(dossier: Dossier) -> dict[str, PublishedEvidence]:
    """Return the evidence by what it says, 16 hexadecimal digits: equal keys are the same licence text, whoever says it where.

    Text for people is told by its bytes, whose salted digest is the same all over one archive; what names a licence by its words.
    """
    return {text_key(each): each for each in reversed(dossier.evidence)}


def text_key(evidence: PublishedEvidence) -> str:
    """Return the key of what a piece of evidence says."""
    free = evidence.scheme is Scheme.FREE_TEXT and evidence.salted_sha256 != ""
    said = evidence.salted_sha256 if free else " ".join(evidence.statement.split())
    return blake2b(f"{evidence.scheme}\n{said}".encode(), digest_size=8).hexdigest()


def _short(text: str, most: int) -> str:
    whole = whole_text(text.replace("\x00", ""))
    return whole if len(whole) <= most else whole[: most - 1] + _CUT
