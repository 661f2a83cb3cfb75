"""Albums: the items of a folder tree, each with its files, its rights.toml and what else speaks for it.

For every kind of source that has files in folders; what a kind knows besides is in its `Premises`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Candidate, CandidateFile, LeftOut
from fonoteca.model.errors import AudioError, SourceError
from fonoteca.model.rights import Evidence, Kind, Scheme
from fonoteca.model.terms import ALWAYS
from fonoteca.sources.grouping import Item, OfferedFile, candidates_of, said_by, without_echo
from fonoteca.sources.offering import SourceContext
from fonoteca.sources.paths import logical_path, received_text
from fonoteca.sources.rightsfile import RIGHTS_BYTES_MAX, RIGHTS_FILE, RightsFile, Terms, parse_rights
from fonoteca.sources.roles import Role, unsupported_reason
from fonoteca.sources.statements import scheme_of
from fonoteca.sources.steady import Stamp, open_steady
from fonoteca.sources.tree import FoundFile, Parts, PassedOver, Tree

NOTICE_BYTES_MAX = 1_048_576


@dataclass(frozen=True, slots=True)
class Premises:
    """What a kind of source knows of a tree besides the files in it.

    kind: the word that keys begin with. name_of: the rest of the key of an item whose rights.toml has no id, from its folder below
    the root. open_as: how a file is opened, given its name for errors. whole: whether all that no rights.toml covers is one item.
    own: what is said of the rights in all of it. credit, title, artist, source_uri: as its owner states them, "" for nothing.
    fallback_title: of the item that is the root. texts: legal texts that go with all of it. left_out: what the kind set aside.
    """

    kind: str
    name_of: Callable[[Parts], str]
    open_as: Callable[[FoundFile, str], Callable[[], BinaryIO]]
    whole: bool = False
    own: tuple[Evidence, ...] = ()
    credit: str = ""
    title: str = ""
    artist: str = ""
    source_uri: str = ""
    fallback_title: str = ""
    texts: tuple[tuple[str, bytes], ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class _Album:
    """The files of one item, before they are read. folder: below the root. statement: its rights.toml."""

    premises: Premises
    root: Path
    folder: Parts
    files: tuple[FoundFile, ...]
    passed_over: tuple[PassedOver, ...]
    statement: RightsFile | None
    statement_bytes: bytes

    @property
    def path(self) -> Path:
        return self.root.joinpath(*self.folder)

    @property
    def subject(self) -> str:
        return received_text(os.fsencode(self.path))

    @property
    def key(self) -> str:
        name = self.statement.id if self.statement else ""
        return f"{self.premises.kind}:{name or self.premises.name_of(self.folder)}"


def read_albums(tree: Tree, premises: Premises, context: SourceContext) -> Iterator[Candidate]:
    """Yield the candidates of all items of a tree, in order of path; none where it has none.

    All rights.toml are read and checked before the first candidate; tags are read item by item.
    """
    albums = _albums(tree, premises)
    _check_keys(albums)
    for number, album in enumerate(albums):
        yield from _AlbumReader(album, context, premises.left_out if number == 0 else ()).candidates()


def _albums(tree: Tree, premises: Premises) -> list[_Album]:
    """Return the items of a tree: below each rights.toml one, elsewhere one for each folder that directly has music, or one."""
    stated = {f.parts[:-1] for f in tree.files if f.parts[-1] == RIGHTS_FILE}
    music = {f.parts[:-1] for f in tree.files if f.role in (Role.AUDIO, Role.UNSUPPORTED_MUSIC)}
    bare = {folder for folder in music if _nearest(folder, stated) is None}
    if premises.whole:
        loose = any(f.role is not Role.LEGAL and _nearest(f.parts[:-1], stated) is None for f in tree.files)
        bare = {()} if loose or not stated else set()
    tops = stated | bare
    if not tops and tree.passed_over:
        tops = {()}
    files: dict[Parts, list[FoundFile]] = {top: [] for top in tops}
    passed: dict[Parts, list[PassedOver]] = {top: [] for top in tops}
    for found in tree.files:
        # Where a rights.toml covers a folder, music below belongs to it, not to its own folder.
        top = _nearest(found.parts[:-1], stated)
        top = _nearest(found.parts[:-1], tops) if top is None else top
        if top is not None:
            files[top].append(found)
    for entry in tree.passed_over:
        top = _nearest(entry.parts[:-1], tops)
        passed[min(tops) if top is None else top].append(entry)
    return [
        _Album(premises, tree.root, top, tuple(files[top]), tuple(passed[top]), *_statement_of(tree.root, top, files[top]))
        for top in sorted(tops, key=lambda parts: [os.fsencode(p) for p in parts])
    ]


def _nearest(folder: Parts, tops: set[Parts]) -> Parts | None:
    """Return the deepest of `tops` that is `folder` or above it."""
    return next((folder[:n] for n in range(len(folder), -1, -1) if folder[:n] in tops), None)


def _statement_of(root: Path, folder: Parts, files: Sequence[FoundFile]) -> tuple[RightsFile | None, bytes]:
    """Return the checked rights.toml of an item and its bytes."""
    found = next((f for f in files if f.parts == (*folder, RIGHTS_FILE)), None)
    if found is None:
        return None, b""
    subject = received_text(os.fsencode(found.path))
    content = _read_small(found, subject, RIGHTS_BYTES_MAX)
    return parse_rights(content, subject), content


def _read_small(found: FoundFile, subject: str, bytes_max: int) -> bytes:
    if found.stamp.file_bytes > bytes_max:
        raise SourceError(
            subject, f"{found.stamp.file_bytes} bytes, expected at most {bytes_max}", "Keep only the text that is needed"
        )
    with open_steady(found.path, subject, found.stamp) as stream:
        return stream.read()


def _check_keys(albums: Sequence[_Album]) -> None:
    """Raise SourceError where two folders claim one id: their files would become one object."""
    seen: dict[str, _Album] = {}
    for album in albums:
        other = seen.setdefault(album.key, album)
        if other is not album:
            problem = f"has the same id as {other.subject}: expected one folder for {album.key}"
            raise SourceError(album.subject, problem, "Give each rights.toml an id of its own")


class _AlbumReader:
    """Reads the tags and texts of one item and puts its files together with what speaks for them."""

    def __init__(self, album: _Album, context: SourceContext, left_out: Sequence[LeftOut]) -> None:
        self._album = album
        self._context = context
        self._now = context.clock.now()
        self._left_out: list[LeftOut] = list(left_out)
        self._globs_used: set[str] = set()
        self._seen: set[str] = set()

    @property
    def _kind(self) -> str:
        return self._album.premises.kind

    def candidates(self) -> Iterator[Candidate]:
        album, statement = self._album, self._album.statement
        legal = self._legal_texts()
        own, notices = self._own(legal)
        for entry in album.passed_over:
            self._leave_out("/".join(received_text(os.fsencode(p)) for p in self._below(entry.parts)), entry.rule, entry.reason)
        offered = [o for f in album.files if f.role is not Role.LEGAL for o in self._offered(f, own, notices)]
        if statement is not None:
            unused = next((o.glob for o in statement.files if o.glob not in self._globs_used), None)
            if unused is not None:
                problem = f"[[files]] glob {unused!r} fits no file, or only files that a later glob fits too"
                raise SourceError(
                    f"{album.subject}/{RIGHTS_FILE}", problem, "Correct the glob: its terms must reach the files they are for"
                )
        premises = album.premises
        item = Item(
            key=album.key,
            title=(statement.title if statement else "") or premises.title,
            artist=(statement.artist if statement else "") or premises.artist,
            fallback_title=("" if album.folder else premises.fallback_title) or received_text(os.fsencode(album.path.name)),
            source_uri=(statement.source_uri if statement else "") or premises.source_uri,
            left_out=tuple(self._left_out),
            term=statement.term if statement else ALWAYS,
        )
        yield from candidates_of(item, offered)

    def _offered(self, found: FoundFile, own: tuple[Evidence, ...], notices: tuple[str, ...]) -> Iterator[OfferedFile]:
        """Yield the file with its evidence, or nothing and a line in `left_out`."""
        raw_path = b"/".join(os.fsencode(p) for p in self._below(found.parts))
        shown = received_text(raw_path)
        path = logical_path(raw_path)
        override = self._album.statement.override_for(shown) if self._album.statement else None
        if override is not None:
            self._globs_used.add(override.glob)
        if path is None or path in self._seen:
            return self._leave_out(shown, "name", "its name cannot be a path of its own in an archive")
        if found.role in (Role.UNSUPPORTED_MUSIC, Role.UNSUPPORTED_ARTWORK):
            return self._leave_out(shown, "unsupported", unsupported_reason(found.parts[-1]))
        if found.stamp.file_bytes == 0:
            return self._leave_out(shown, "empty", "the file is empty")
        tags: Tags | None = None
        if found.role is Role.AUDIO:
            try:
                tags = self._context.read_tags(found.path)
            except AudioError as error:
                if self._album.statement is None and not self._album.premises.own:
                    return self._leave_out(
                        shown, "damaged", f"its tags, the only statement of rights, cannot be read: {error.problem}"
                    )
            except OSError as error:
                return self._leave_out(shown, "unreadable", f"cannot be read: {error.strerror}")
        self._seen.add(path)
        kind = Kind.AUDIO if found.role is Role.AUDIO else Kind.ARTWORK
        own, other, credit = self._evidence_for(path, kind, tags, own)
        opener = self._album.premises.open_as(found, f"{self._album.key}: {shown}")
        yield OfferedFile(CandidateFile(path, found.stamp.file_bytes, opener), kind, own, other, tags, credit, notices)
        return None

    def _evidence_for(
        self, path: str, kind: Kind, tags: Tags | None, own: tuple[Evidence, ...]
    ) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...], str]:
        """Return the item's own evidence for a file, the other evidence, and the credit line that comes with them."""
        statement = self._album.statement
        said = said_by(tags, "", self._now)
        if statement is None:
            return own, without_echo(own, said), self._album.premises.credit
        credit = statement.terms.attribution or self._album.premises.credit
        if kind is Kind.ARTWORK and statement.artwork is not None:
            own = self._stated(statement.artwork) or own
            credit = statement.artwork.attribution or credit
        override = statement.override_for(path)
        if override is not None:
            credit = override.terms.attribution or credit
            replaced = self._stated(override.terms)
            if replaced and without_echo(own, replaced):
                return (), replaced + without_echo(replaced, said), credit
        return own, without_echo(own, said), credit

    def _own(self, legal: Sequence[tuple[str, bytes]]) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
        """Return what the item says as a whole: its rights.toml, else the legal texts beside its files; and its notices."""
        statement, given = self._album.statement, self._album.premises.own
        texts = tuple(raw.decode("utf-8", "replace").strip() for _, raw in legal)
        if statement is None and not given:
            evidence = tuple(
                Evidence(Scheme.FREE_TEXT, f"text file {name} beside the music, {len(raw)} bytes", "", self._kind, self._now, raw)
                for name, raw in legal
            )
            return evidence, texts
        stated = self._stated(statement.terms) if statement else ()
        return stated + without_echo(stated, given), texts

    def _stated(self, terms: Terms) -> tuple[Evidence, ...]:
        """Return the evidence that terms of the rights.toml are."""
        if not terms.statement:
            return ()
        statement = self._album.statement
        scheme = Scheme.OWNER if terms.own_acts else scheme_of(terms.licence)
        source_uri = statement.source_uri if statement else ""
        declarer = f"{self._kind}'s rights.toml"
        return (Evidence(scheme, terms.statement, source_uri, declarer, self._now, self._album.statement_bytes),)

    def _legal_texts(self) -> list[tuple[str, bytes]]:
        """Return name and bytes of the legal texts directly in the item's folder: those that its rights.toml names, else all."""
        statement, path, given = self._album.statement, self._album.path, list(self._album.premises.texts)
        if statement is None:
            beside = (f for f in self._album.files if f.role is Role.LEGAL and len(self._below(f.parts)) == 1)
            return given + [self._text_of(f) for f in beside]
        if not statement.notices:
            return given
        try:
            status = os.lstat(path / statement.notices)
        except OSError as error:
            problem = f"notices: the text file {statement.notices!r} cannot be read: {error.strerror}"
            raise SourceError(f"{self._album.subject}/{RIGHTS_FILE}", problem, "Put it there, or correct its name") from error
        parts = (*self._album.folder, statement.notices)
        return [*given, self._text_of(FoundFile(parts, path / statement.notices, Role.LEGAL, Stamp.of(status)))]

    def _text_of(self, found: FoundFile) -> tuple[str, bytes]:
        name = received_text(os.fsencode(found.path.name))
        return name, _read_small(found, f"{self._album.subject}/{name}", NOTICE_BYTES_MAX)

    def _below(self, parts: Parts) -> Parts:
        return parts[len(self._album.folder) :]

    def _leave_out(self, path: str, rule: str, reason: str) -> None:
        self._left_out.append(LeftOut(path, rule, reason))
