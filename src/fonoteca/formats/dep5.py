"""DEP-5, the machine-readable debian/copyright: whose terms speak for an installed file.

Source: "Machine-readable debian/copyright file", version 1.0. Its paths are paths in the source tree, while a package
holds installed paths, so a file is matched by its base name and by as much of its folder as the two paths share.
Where that leaves a doubt, every stanza that may apply is given, so that a gate can see that they differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from debian.copyright import Copyright, NotMachineReadableError

from fonoteca.model.errors import FormatError

DEP5_BYTES_MAX = 1_048_576
"""The longest real one met so far is 67 kB; the parser is slow on megabytes."""

GLOBS_MAX = 10_000
"""Of all stanzas together: each is held against each file. The kernel's copyright file has some 3,000."""

_FORMAT = re.compile(rb"\AFormat:[ \t]*\S*(copyright-format|dep5)", re.IGNORECASE)
_MEDIA_FOLDERS = frozenset(
    {"assets", "audio", "bgm", "data", "media", "mp3", "music", "musics", "ogg", "opus", "res", "resources", "share", "snd"}
    | {"songs", "sound", "sounds", "soundtrack", "wav"}
)
"""Folder names of source trees whose files may well have been installed elsewhere under their base names."""
_JOINED = re.compile(r",?\s+(?:and|or)\s+|,\s*")
_NOBODY = frozenset({"no-copyright", "no copyright", "none", "public-domain", "public domain", "unknown"})
_ADDRESS = re.compile(r"\s*<[^<>\s]+@[^<>\s]+>")


class _Fit(Enum):
    """How well a stanza fits an installed path."""

    CERTAIN = "the glob fits the end of the path"
    NAMED = "the glob names the base name, in another folder"
    FOLDER = "the glob is for all of a folder of media that the path does not show"
    NONE = "the stanza is about something else"


@dataclass(frozen=True, slots=True)
class FilesStanza:
    """The terms of some files. globs: of the source tree; licence: a short name or an expression of several."""

    globs: tuple[str, ...]
    licence: str
    licence_text: str
    copyright: str

    @property
    def is_default(self) -> bool:
        """Whether this stanza speaks for all files that no other one names."""
        return "*" in self.globs

    @property
    def credit(self) -> str:
        """The copyright lines as one credit line, without e-mail addresses; "" where they name nobody."""
        lines = (_ADDRESS.sub("", " ".join(line.split())) for line in self.copyright.splitlines())
        return "; ".join(line for line in lines if line and line.casefold() not in _NOBODY)


@dataclass(frozen=True, slots=True)
class Dep5:
    """A parsed copyright file. source: the header's Source field; licence: its License field, "" where it has none."""

    source: str
    licence: str
    stanzas: tuple[FilesStanza, ...]
    licence_texts: Mapping[str, str]

    @property
    def default(self) -> FilesStanza | None:
        """The last stanza that speaks for all files, or None."""
        return next((s for s in reversed(self.stanzas) if s.is_default), None)

    def stanzas_for(self, path: str) -> tuple[FilesStanza, ...]:
        """Return the stanzas that speak for an installed file; several mean a doubt, none silence.

        path: as installed, `usr/share/games/x/music/a.ogg`. The last stanza whose glob fits the end of the path wins, as
        DEP-5 says. A later stanza that names the same base name in another folder, and one for a folder of media that
        the path does not show, cannot be ruled out: they are given beside it.
        """
        found: dict[FilesStanza, _Fit] = {}
        for stanza in self.stanzas:
            if stanza.is_default:
                continue
            fit = _fit_of(stanza, path)
            certain = _Fit.CERTAIN in found.values()
            if fit is _Fit.CERTAIN:
                found = {stanza: fit}
            elif fit is _Fit.NAMED or (fit is _Fit.FOLDER and not certain):
                found[stanza] = fit
        if self.default is not None and not {_Fit.CERTAIN, _Fit.NAMED} & set(found.values()):
            return (self.default, *found)
        return tuple(found)

    def notices_for(self, stanzas: Sequence[FilesStanza]) -> tuple[str, ...]:
        """Return the copyright lines and licence texts of these stanzas, as must travel with copies; each once."""
        parts: list[str] = []
        for stanza in stanzas:
            parts.append(f"Copyright: {_unfolded(stanza.copyright)}\nLicense: {stanza.licence}")
            texts = [stanza.licence_text or "", *(self.licence_texts.get(n, "") for n in names_of(stanza.licence))]
            parts.extend(text.strip("\n") for text in texts if text.strip())
        return tuple(dict.fromkeys(parts))


def parse_dep5(content: bytes) -> Dep5 | None:
    """Return the parsed file, or None when it does not claim to be machine-readable.

    content: of debian/copyright, at most DEP5_BYTES_MAX. Raises: FormatError when it claims to be DEP-5 but is not.
    """
    if not _FORMAT.match(content.lstrip(b"\xef\xbb\xbf\r\n\t ")):
        return None
    if len(content) > DEP5_BYTES_MAX:
        raise FormatError("debian/copyright", f"{len(content)} bytes, expected at most {DEP5_BYTES_MAX}")
    try:
        # Any: python-debian's typing shows its fields as the descriptors that make them.
        parsed: Any = Copyright(content.decode("utf-8-sig").splitlines(keepends=True), strict=False)
        found = Dep5(
            source=str(parsed.header.source or "").strip(),
            licence=_licence(parsed.header)[0],
            stanzas=tuple(
                FilesStanza(tuple(p.files), *_licence(p), copyright=str(p.copyright or "").strip())
                for p in parsed.all_files_paragraphs()
            ),
            licence_texts=dict(_licence(p) for p in parsed.all_license_paragraphs()),
        )
    except NotMachineReadableError as error:
        raise FormatError("debian/copyright", f"says it is DEP-5, but cannot be parsed: {error}") from error
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, AssertionError, RecursionError) as error:
        # python-debian's classes raise all of these on damaged paragraphs.
        raise FormatError("debian/copyright", f"says it is DEP-5, but a paragraph is damaged: {error}") from error
    globs = sum(len(stanza.globs) for stanza in found.stanzas)
    if globs > GLOBS_MAX:
        raise FormatError("debian/copyright", f"{globs} globs, expected at most {GLOBS_MAX}")
    return found


def _licence(paragraph: Any) -> tuple[str, str]:
    """Return the short name and the text of a paragraph's License field, "" for what it has not."""
    if not paragraph.license:
        return "", ""
    return str(paragraph.license.synopsis).strip(), str(paragraph.license.text or "")


def names_of(expression: str) -> tuple[str, ...]:
    """Return the short names in a licence expression such as `GPL-2+ or CC-BY-SA-3.0`, in order."""
    return tuple(name.strip() for name in _JOINED.split(expression) if name.strip())


def glob_fits(glob: str, text: str) -> bool:
    r"""Return whether a DEP-5 glob fits the whole text. `*` and `?` also match `/`; `\*`, `\?` and `\\` are literal.

    Cost: O(len(glob) x len(text)) at worst; no regular expression, whose backtracking a hostile glob could use.
    """
    wanted = _tokens(glob)
    at, pos, star, mark = 0, 0, -1, 0
    while pos < len(text):
        if at < len(wanted) and wanted[at] == "**":
            star, mark = at, pos
            at += 1
        elif at < len(wanted) and wanted[at] in ("??", text[pos]):
            at += 1
            pos += 1
        elif star >= 0:
            at, mark = star + 1, mark + 1
            pos = mark
        else:
            return False
    return all(token == "**" for token in wanted[at:])


@lru_cache(maxsize=GLOBS_MAX)
def _tokens(glob: str) -> tuple[str, ...]:
    """Split a glob into literal characters, `**` for a star and `??` for a question mark."""
    tokens: list[str] = []
    escaped = False
    for char in glob:
        if escaped or char not in "\\*?":
            tokens.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            tokens.append(char * 2)
    return tuple(tokens)


def _fit_of(stanza: FilesStanza, path: str) -> _Fit:
    """Return the best fit of a stanza's globs for an installed path."""
    parts = path.split("/")
    ends = ["/".join(parts[n:]) for n in range(len(parts))]
    best = _Fit.NONE
    for glob in stanza.globs:
        folder, _, base = glob.rpartition("/")
        if folder == "debian" or folder.startswith("debian/"):
            continue  # packaging, never installed as music under its own name
        if any(glob_fits(glob, end) for end in ends):
            return _Fit.CERTAIN
        if base.strip("*?") and glob_fits(base, parts[-1]):
            best = _Fit.NAMED
        elif not base.strip("*") and best is _Fit.NONE and _MEDIA_FOLDERS & set(folder.lower().split("/")):
            best = _Fit.FOLDER
    return best


def _unfolded(text: str) -> str:
    """Return a field's lines with their indent made even."""
    return "\n ".join(line.strip() for line in text.splitlines())
