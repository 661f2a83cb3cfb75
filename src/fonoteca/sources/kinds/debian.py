"""`debian`: the music in a Debian package, a .deb file or a package name. See docs/sources.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fonoteca.formats.dep5 import Dep5, FilesStanza, parse_dep5
from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Candidate, CandidateFile, LeftOut
from fonoteca.model.errors import AudioError, FormatError, SourceError, UsageError
from fonoteca.model.rights import Evidence, Kind, Scheme
from fonoteca.sources.credits import credit_line, joined
from fonoteca.sources.deb import Control, TarMember, open_deb
from fonoteca.sources.grouping import Item, OfferedFile, candidates_of, said_by, without_echo
from fonoteca.sources.nested import is_zip_name, unzip
from fonoteca.sources.offering import SourceContext
from fonoteca.sources.paths import logical_path, received_text, slug
from fonoteca.sources.roles import HEAD_BYTES, Role, role_of, starts_like_audio, unsupported_reason
from fonoteca.sources.spool import Spool, SpooledFile
from fonoteca.sources.steady import Stamp, open_steady

FILE_BYTES_MAX = 4 << 30
MUSIC_FILES_MAX = 50_000
COPYRIGHT_BYTES_MAX = 4 << 20
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}")
_COVER = re.compile(
    r"(album)?[-_ ]?(art(work)?|back|booklet|cd|cover|disc|folder|front|inlay|inside)([-_ ]?[a-z0-9]+)?", re.IGNORECASE
)
_PACKAGER = "packager"


@dataclass(slots=True)
class _Contents:
    """What one pass over a package found. copyright: the bytes of its debian/copyright, None where it has none."""

    control: Control
    copyright: bytes | None = None
    files: list[SpooledFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


class DebianSource:
    """A Debian package."""

    kind = "debian"

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        """Yield the candidates of one package.

        ref: the path of a .deb (it ends so, or has a `/`), else a package name, which is downloaded. The package's files
        stay in the staging folder as long as a candidate of it is referred to.
        """
        is_path = ref.endswith(".deb") or "/" in ref
        if not is_path and not _PACKAGE.fullmatch(ref):
            raise UsageError(ref, "is neither a .deb file nor the name of a package", "Names are like `asc-music`")
        spool = Spool(context.staging, f"debian-{slug(Path(ref).name)}")
        path = Path(ref) if is_path else context.download_package(ref, spool.folder)
        contents = _unpack(path, ref, spool)
        if not is_path:
            path.unlink()
        yield from _PackageReader(contents, context).candidates()


SOURCE = DebianSource()


def _unpack(path: Path, subject: str, spool: Spool) -> _Contents:
    """Return a package's contents: its music and covers spooled, all else passed over. Raises: UsageError, SourceError."""
    with open_deb(path, subject) as deb:
        contents = _Contents(deb.control())
        if not _PACKAGE.fullmatch(contents.control.package):
            raise SourceError(subject, f"names itself {contents.control.package!r}: expected a package name", "Fetch it again")
        copyright_path = f"usr/share/doc/{contents.control.package}/copyright"
        for member in deb.members():
            name = received_text(member.name).removeprefix("./")
            if name == copyright_path and member.content is not None:
                contents.copyright = member.content.read(COPYRIGHT_BYTES_MAX)
            elif is_zip_name(name) and member.content is not None:
                _take_zip(member, spool, contents)
            elif not member.is_folder:
                _take_file(member, spool, contents)
            if len(contents.files) + len(contents.left_out) > MUSIC_FILES_MAX:
                raise SourceError(
                    subject, f"more than {MUSIC_FILES_MAX} music files", "No package of music has so many; look at it"
                )
    _drop_pictures(contents)
    return contents


def _take_zip(member: TarMember, spool: Spool, contents: _Contents) -> None:
    if member.content is None or logical_path(member.name) is None:
        contents.left_out.append(LeftOut(received_text(member.name), "name", "its path leads out of the package"))
        return
    path = spool.put(member.content, "archive.zip", FILE_BYTES_MAX)
    for taken in unzip(path, member.name.removeprefix(b"./"), spool):
        if isinstance(taken, LeftOut):
            contents.left_out.append(taken)
        else:
            contents.files.append(taken)
    path.unlink()


def _take_file(member: TarMember, spool: Spool, contents: _Contents) -> None:
    """Spool a member that is audio or artwork; say why where one is not taken."""
    shown = received_text(member.name).removeprefix("./")
    base = shown.rpartition("/")[2]
    role = role_of(base)
    if role is Role.UNKNOWN and member.content is not None:
        role = Role.AUDIO if starts_like_audio(member.content.peek(HEAD_BYTES)) else role
    if role in (Role.UNKNOWN, Role.LEGAL):
        return
    path = logical_path(member.name)
    if path is None:
        contents.left_out.append(LeftOut(shown, "name", "its path leads out of the package"))
    elif member.link_target:
        target = received_text(member.link_target)
        contents.left_out.append(LeftOut(shown, "link", f"a link to {target}: links are not followed"))
    elif member.content is None:
        contents.left_out.append(LeftOut(shown, "special", "not a regular file"))
    elif role in (Role.UNSUPPORTED_MUSIC, Role.UNSUPPORTED_ARTWORK):
        contents.left_out.append(LeftOut(shown, "unsupported", unsupported_reason(base)))
    elif role is Role.AUDIO or _COVER.fullmatch(base.rpartition(".")[0]):
        spooled = spool.put(member.content, base, FILE_BYTES_MAX)
        contents.files.append(SpooledFile(spool, path, spooled, role, Stamp.of(spooled.stat())))


def _drop_pictures(contents: _Contents) -> None:
    """Keep artwork, taken or not, only where it lies beside music: packages are full of icons and sprites."""
    folders = {f.logical_path.rpartition("/")[0] for f in contents.files if f.role is Role.AUDIO}
    for file in [f for f in contents.files if f.role is Role.ARTWORK and f.logical_path.rpartition("/")[0] not in folders]:
        contents.files.remove(file)
        file.path.unlink()
    contents.left_out[:] = [
        entry
        for entry in contents.left_out
        if role_of(entry.logical_path.rpartition("/")[2]) not in (Role.ARTWORK, Role.UNSUPPORTED_ARTWORK)
        or entry.logical_path.rpartition("/")[0] in folders
    ]


class _PackageReader:
    """Puts a package's files together with what its copyright file and their tags say."""

    def __init__(self, contents: _Contents, context: SourceContext) -> None:
        self._contents = contents
        self._context = context
        self._now = context.clock.now()
        self._dep5, self._damage = _parsed(contents.copyright)
        control = contents.control
        self._source_uri = control.homepage or _address(self._dep5.source if self._dep5 else "")
        self._free_text = self._free_text_evidence()

    def candidates(self) -> Iterator[Candidate]:
        contents, control = self._contents, self._contents.control
        offered: list[OfferedFile] = []
        seen: set[str] = set()
        for file in contents.files:
            if file.logical_path in seen:
                contents.left_out.append(
                    LeftOut(file.logical_path, "name", "the package has two files of this name; the first is taken")
                )
                continue
            seen.add(file.logical_path)
            offer = self._offered(file)
            if offer is not None:
                offered.append(offer)
        if not offered and not contents.left_out:
            remedy = "Name a package that holds audio files, such as `asc-music`"
            raise SourceError(f"debian:{control.package}", "holds no music: expected audio files", remedy)
        item = Item(
            key=f"debian:{control.package}",
            title="",
            artist="",
            fallback_title=control.summary or control.package,
            source_uri=self._source_uri,
            left_out=tuple(contents.left_out),
        )
        yield from candidates_of(item, offered)

    def _offered(self, file: SpooledFile) -> OfferedFile | None:
        path = file.logical_path
        if file.stamp.file_bytes == 0:
            self._contents.left_out.append(LeftOut(path, "empty", "the file is empty"))
            return None
        tags: Tags | None = None
        if file.role is Role.AUDIO:
            try:
                tags = self._context.read_tags(file.path)
            except AudioError as error:
                if self._contents.copyright is None:
                    reason = f"its tags, the only statement of rights, cannot be read: {error.problem}"
                    self._contents.left_out.append(LeftOut(path, "damaged", reason))
                    return None
        said = said_by(tags, self._source_uri, self._now)
        stanzas = self._dep5.stanzas_for(path) if self._dep5 else ()
        stated = tuple(self._stated(stanza) for stanza in stanzas) or self._free_text
        is_own = not stanzas or {s.licence for s in stanzas} == {self._default_licence()}
        opener = partial(_open_spooled, file, f"debian:{self._contents.control.package}: {path}")
        return OfferedFile(
            file=CandidateFile(path, file.stamp.file_bytes, opener),
            kind=Kind.AUDIO if file.role is Role.AUDIO else Kind.ARTWORK,
            own=stated if is_own else (),
            other=without_echo(stated, said) if is_own else stated + without_echo(stated, said),
            tags=tags,
            credit=self._credit(stanzas, tags),
            notices=self._notices(stanzas),
        )

    def _default_licence(self) -> str:
        default = self._dep5.default if self._dep5 else None
        return default.licence if default else ""

    def _stated(self, stanza: FilesStanza) -> Evidence:
        raw = self._contents.copyright or b""
        return Evidence(Scheme.DEP5, stanza.licence, self._source_uri, _PACKAGER, self._now, raw)

    def _free_text_evidence(self) -> tuple[Evidence, ...]:
        """Return the copyright file as evidence for a person, where no stanza of it speaks for a file."""
        raw = self._contents.copyright
        if raw is None:
            return ()
        control = self._contents.control
        what = "DEP-5 that cannot be parsed" if self._damage else "DEP-5 without a word on this file" if self._dep5 else "free text"
        statement = f"copyright file of the Debian package {control.package} {control.version}: {what}, {len(raw)} bytes"
        return (Evidence(Scheme.FREE_TEXT, statement, self._source_uri, _PACKAGER, self._now, raw),)

    def _credit(self, stanzas: tuple[FilesStanza, ...], tags: Tags | None) -> str:
        """Return whom to credit: as the stanza for the file says; where only the one for all files speaks, its tags first."""
        own = credit_line(tags) if tags is not None and all(s.is_default for s in stanzas) else ""
        return joined([own, *(s.credit for s in stanzas)])

    def _notices(self, stanzas: tuple[FilesStanza, ...]) -> tuple[str, ...]:
        if self._dep5 is not None and stanzas:
            return self._dep5.notices_for(stanzas)
        return ((self._contents.copyright or b"").decode("utf-8", "replace").strip(),)


def _parsed(content: bytes | None) -> tuple[Dep5 | None, bool]:
    """Return the parsed copyright file, and whether it claims to be DEP-5 but is damaged: then a person must read it."""
    try:
        return (None if content is None else parse_dep5(content)), False
    except FormatError:
        return None, True


def _address(text: str) -> str:
    """Return the first web address in a text, ""  where there is none."""
    match = re.search(r"https?://[^\s<>]+", text)
    return match.group() if match else ""


def _open_spooled(file: SpooledFile, subject: str) -> BinaryIO:
    """Open a spooled file. A function of the file, which holds its spool, so that the spool lives as long as the candidate."""
    return open_steady(file.path, subject, file.stamp)
