"""The one tree of errors: whose fault it is, what happened to which id, and what to do next.

A refusal by rights is a value (`fonoteca.model.rights.Refusal`), not an exception; `RightsError` is for a caller that
demands what rights do not give. Our own mistakes are assertions.
"""

from __future__ import annotations

from typing import ClassVar


class FonotecaError(Exception):
    """An error that a person can act on.

    subject: the id, path or URL that it is about. problem: expected against found. remedy: what to do next.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1

    def __init__(self, subject: str, problem: str, remedy: str = "") -> None:
        self.subject = subject
        self.problem = problem
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return `subject: problem. remedy` on one line, with control characters shown as escapes."""
        text = f"{self.subject}: {self.problem}"
        if self.remedy:
            text = f"{text.rstrip('.')}. {self.remedy}"
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)

    def __reduce__(self) -> tuple[type[FonotecaError], tuple[str, str, str]]:
        """Return the pieces to pickle, so that an error crosses from a worker process whole."""
        return type(self), (self.subject, self.problem, self.remedy)

    def as_json(self) -> dict[str, str]:
        """Return the error as the `--json` output shows it."""
        return {"code": self.code, "subject": self.subject, "problem": self.problem, "remedy": self.remedy}


class UsageError(FonotecaError):
    """The call is wrong: a missing folder, an unknown id, a bad setting."""

    code = "usage"
    exit_status = 2


class BusyError(UsageError):
    """Another Fonoteca process is writing in the same archive."""

    code = "usage.busy"
    exit_status = 1


class OvertakenError(UsageError):
    """Somebody else decided about the same thing since the page was shown. Nothing was put down."""

    code = "usage.overtaken"
    exit_status = 1


class RightsError(FonotecaError):
    """Something was asked for that rights do not give."""

    code = "rights"
    exit_status = 3


class SourceError(FonotecaError):
    """A source gave something unreadable, changed it under our hands, or went away."""

    code = "source"


class SourceMissing(SourceError):  # noqa: N818 - it is an answer as often as an error
    """A source does not have, or does not give, the file that it was asked for; it may well have others."""

    code = "source.missing"


class SourceRefused(SourceError):  # noqa: N818 - it is an answer as often as an error
    """A source does not want to be asked for this: its robots.txt, a sign-in, or a law says so. It is not asked again."""

    code = "source.refused"


class SourceBusy(SourceError):  # noqa: N818 - it is an answer as often as an error
    """A source wants to be left alone for now, or as much was asked of it today as the settings allow."""

    code = "source.busy"


class AudioError(SourceError):
    """A file is not the sound music that it was offered as."""

    code = "source.audio"


class DamagedAudioError(AudioError):
    """A file whose sound does not decode whole: cut off, flipped, or torn."""

    code = "source.audio.damaged"


class UnsupportedAudioError(AudioError):
    """A file that is something else than a recording, or in a coding that is not on the allowlist."""

    code = "source.audio.unsupported"


class UnidentifiedAudioError(AudioError):
    """A file whose bytes do not say what it is. It is refused, not guessed."""

    code = "source.audio.unidentified"


class FixityError(FonotecaError):
    """Bytes do not have the digest that they should."""

    code = "fixity"
    exit_status = 4


class StoreError(FonotecaError):
    """The store, the register or the disk under them failed or is not as it must be."""

    code = "store"


class BlobMissing(StoreError):  # noqa: N818 - it is an answer as often as an error
    """A blob that is read is not there."""

    code = "store.missing"


class TakenError(StoreError):
    """Something is there already where something new was to be put. It was not changed."""

    code = "store.taken"


class UnsureError(StoreError):
    """The store gave no answer, or one that leaves open whether it did what it was asked."""

    code = "store.unsure"


class ClaimedError(StoreError):
    """The store or the register belongs to another archive. Two that write in one would undo each other's work."""

    code = "store.claimed"


class FormatError(FonotecaError):
    """Bytes do not follow the format that they are said to have."""

    code = "format"


class TrustError(FonotecaError):
    """A peer, a host or an edition cannot be trusted."""

    code = "trust"
    exit_status = 5
