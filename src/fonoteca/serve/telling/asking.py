"""How to ask for a correction or a withdrawal: what is needed, where to send it, and a letter to begin with.

A notice needs reasons, the exact place, who gives it and how to reach them, and that it is given in good faith (Regulation (EU)
2022/2065, article 16(2)). The archive takes it by letter: this page sends nothing and keeps nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Purpose
from fonoteca.serve.passage import withdrawn_words
from fonoteca.serve.paths import logical_path_of, object_id_of, object_url, track_url
from fonoteca.serve.problems import Problem
from fonoteca.serve.rooms import ServeRooms

_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,255}")


@dataclass(frozen=True, slots=True)
class Contact:
    """Where letters go. link: of a mail or web address, "" of any other."""

    text: str
    link: str

    @property
    def is_mail(self) -> bool:
        """Whether a mail program can send there."""
        return self.link.startswith("mailto:")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a letter is about. page: its address on this site, from the root. withdrawn: why it is not given out, "" where it is."""

    object_id: str
    title: str
    artist: str
    file: str
    page: str
    withdrawn: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to begin with. mailto: what opens it in a mail program, "" where the contact is no mail address."""

    text: str
    mailto: str


def contact_of(settings: Settings) -> Contact | None:
    """Return where letters go, None where the settings name nobody."""
    text = settings.editions.contact.strip()
    if not text:
        return None
    if text.startswith(("https://", "http://")):
        return Contact(text, text)
    return Contact(text, f"mailto:{quote(text, safe='@+')}" if _EMAIL.fullmatch(text) else "")


def subject_of(rooms: ServeRooms, about: str, file: str) -> Subject | None:
    """Return what a letter is about, None for the archive as a whole. Of what was withdrawn no name is told.

    about: the id of an object. file: the logical path of one of its files, "" for all of it. Raises: Problem for what is not here.
    """
    if not about:
        return None
    object_id, logical_path = object_id_of(about), logical_path_of([file]) if file else None
    row = rooms.register.object(object_id) if object_id else None
    found = rooms.register.file(object_id, logical_path) if object_id and logical_path else None
    if object_id is None or row is None or (file and found is None):
        raise Problem(404, "There is no such release in this archive.")
    mask = rooms.register.withdrawals.mask(object_id, Purpose.FINDING)
    if mask is not None and mask.tombstone.means(found.stored.hashes.sha256 if found else ""):
        return Subject(object_id, "", "", "", object_url(object_id), withdrawn_words(mask.tombstone))
    page = track_url(object_id, file) if file else object_url(object_id)
    return Subject(object_id, found.title if found else row.title, row.artist, file, page, "")


def correction(subject: Subject | None, site: str, contact: Contact | None) -> Letter:
    """Return a letter that asks for a correction. site: the address of this one, without a slash at its end."""
    lines = [
        *_where(subject, site),
        "",
        "What it says now:",
        "",
        "What is right, and how you can see that (a link, a sleeve, a register):",
        "",
        "Who I am, and how to reach me:",
    ]
    return _letter("Correction", subject, contact, lines)


def notice(subject: Subject | None, site: str, contact: Contact | None) -> Letter:
    """Return a letter that asks for a withdrawal, with all that a notice needs."""
    lines = [
        *_where(subject, site),
        "",
        "1. What I ask for (that it is no longer given out; or that it is limited, and how):",
        "",
        "2. Why: my reasons, and the right or law that they rest on:",
        "",
        "3. My name, and an address by which you can reach me:",
        "   On whose behalf, if not my own:",
        "",
        "4. I believe in good faith that what I say here is accurate and complete.",
        "",
        "Place, date:",
    ]
    return _letter("Notice", subject, contact, lines)


def _where(subject: Subject | None, site: str) -> list[str]:
    if subject is None:
        return [f"Where exactly (the address of each page): {site}/"]
    named = f"{subject.title or 'untitled'}{f', by {subject.artist}' if subject.artist else ''}"
    return [
        f"Where exactly: {site}{subject.page}",
        f"Object: {subject.object_id}",
        *([f"File: {subject.file}"] if subject.file else []),
        *([f"Shown as: {named}"] if not subject.withdrawn else []),
    ]


def _letter(kind: str, subject: Subject | None, contact: Contact | None, lines: list[str]) -> Letter:
    text = "\n".join(lines) + "\n"
    heading = f"{kind}: {subject.object_id}" if subject else kind
    if contact is None or not contact.is_mail:
        return Letter(text, "")
    return Letter(text, f"{contact.link}?subject={quote(heading)}&body={quote(text.replace(chr(10), chr(13) + chr(10)))}")
