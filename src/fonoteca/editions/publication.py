"""Publishing: torrents and manifests first, then the signed metadata; `metadata/timestamp.json` last.

The timestamp is the commit point: without it nothing is out. A crash before it leaves files that it does not name, and the next run
writes the same ones again. `index.json` and `withdrawals.json` change under their names, so they lie by their digests, too, beside
those of the edition before: whoever reads that finds it whole. The files of those plain names are copies, for people. So it is with
`feed.xml` and `SHA256SUMS`, which belong to an index: where nothing is new, those that are out stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from fonoteca.collecting import collecting_seldom
from fonoteca.editions.copying import EditionCopy
from fonoteca.editions.following import FetchRead, ManifestedDrop, prove_edition
from fonoteca.editions.index import (
    INDEX,
    Heading,
    Index,
    IndexEntry,
    TargetFile,
    entry_of,
    index_bytes,
    parse_index,
)
from fonoteca.editions.manifest import to_jsonl, to_parquet
from fonoteca.editions.people import PEOPLE, Announcement, people_files
from fonoteca.editions.promotion import Promotion
from fonoteca.editions.trust import (
    CONTENTS,
    WITHDRAWALS,
    Change,
    Content,
    Draft,
    Role,
    Signatory,
    Standing,
    Survey,
    TrustedEdition,
    committed_target,
    document_path,
    expiry,
    gather,
    is_signed,
    newest_root,
    read_standing,
    staged_files,
    stamped_path,
    superseded,
    survey,
)
from fonoteca.formats import tombstones
from fonoteca.formats.acknowledgement import MIRROR
from fonoteca.model.corridor import Edition
from fonoteca.model.errors import FixityError, SourceMissing, StoreError, TrustError, UsageError
from fonoteca.model.ids import DropId, Sha256
from fonoteca.ports import Blobs

NOTHING_WITHDRAWN = tombstones.write(())
"""withdrawals.json of an archive that has withdrawn nothing."""

_OBJECTS_BETWEEN = 100_000
"""Python searches after 700 new objects. A drop is half a million that live until it is written and have no cycles, so nothing is
found: 30 % of the time to cut an edition, no more memory without (bench/editions.py)."""


@dataclass(frozen=True, slots=True)
class Publication:
    """An edition as the set of its files: what a signature binds.

    files: every target in order of path, index.json among them, withdrawals.json not. index_content: of index.json.
    people: contents of the files for people, by path, as far as they are here.
    made: whether the index says anything that was not published before. draft: the documents that bind all this, signed by the
    keys that are here. at: when.
    """

    number: int
    files: tuple[TargetFile, ...]
    index_content: bytes
    made: bool
    withdrawals: bytes
    people: Mapping[str, bytes] = field(repr=False)
    index: Index = field(repr=False)
    draft: Draft = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """What an edition is published with. withdrawals: of withdrawals.json, None for those that are out.

    announced: where it is found, as its feed says. None: a feed that was lost is not made again.
    after: the number of the edition that was out before all of it was lost, 0 before the first.
    """

    at: datetime
    withdrawals: bytes | None = None
    announced: Announcement | None = None
    after: int = 0


class Editions:
    """The edition in `editions/` of one archive. blobs: rooted there. One process writes at a time.

    signatory: signs what is published; those who only read need none.
    """

    def __init__(self, blobs: Blobs, signatory: Signatory | None = None) -> None:
        self._blobs = blobs
        self._signatory = signatory

    def index(self) -> Index | None:
        """Return the index that is out, or None before the first edition. Raises: StoreError when it is damaged.

        An archive that published before editions were signed has its index under its plain name alone.
        """
        digest = committed_target(self._blobs, INDEX)
        path = INDEX if digest is None else stamped_path(INDEX, digest)
        if digest is None and self._blobs.size(INDEX) is None:
            return None
        try:
            content = self._blobs.read(path)
            if digest is not None and TargetFile.of(INDEX, content).sha256 != digest:
                raise TrustError(path, "it has not the digest of its name")
            return parse_index(content)
        except TrustError as error:
            remedy = f"Put {path} back from a mirror or a backup: mirrors take an edition made anew for an older one."
            raise StoreError(error.subject, error.problem, remedy) from None

    def withdrawals(self) -> bytes | None:
        """Return the withdrawals that are out, or None before the first edition. Raises: StoreError when they are damaged."""
        digest = committed_target(self._blobs, WITHDRAWALS, Role.WITHDRAWALS)
        if digest is None:
            return None
        content = self._blobs.read(stamped_path(WITHDRAWALS, digest))
        if TargetFile.of(WITHDRAWALS, content).sha256 != digest:
            raise StoreError(f"editions/{WITHDRAWALS}", "it has not the digest that was signed", "Put it back from a backup.")
        return content

    def acknowledgement(self) -> bytes | None:
        """Return what this mirror says of itself beside the edition, None where it says nothing."""
        return None if self._blobs.size(MIRROR) is None else self._blobs.read(MIRROR)

    def put_acknowledgement(self, content: bytes) -> None:
        """Say something of this mirror beside the edition: nobody signs it."""
        self._blobs.write(MIRROR, content)

    def drop_acknowledgement(self) -> None:
        """Say nothing more of it: this is no mirror."""
        self._blobs.delete(MIRROR)

    def read(self) -> Edition | None:
        """Return the published edition, every file read and proved, or None before the first. Raises: TrustError."""
        index = self.index()
        return None if index is None else prove_edition(self.read_at_most, index)

    def torrent(self, drop_id: DropId) -> bytes:
        """Return a published torrent. Raises: UsageError when the edition has no such drop, and as `torrent_of`.

        Cost: reads the index; who wants many torrents has read it once.
        """
        index = self.index()
        entry = next((entry for entry in index.entries if entry.id == drop_id), None) if index else None
        if entry is None:
            raise UsageError(drop_id, "there is no such drop in the edition", "`fonoteca torrents` lists them.")
        return self.torrent_of(entry)

    def torrent_of(self, entry: IndexEntry) -> bytes:
        """Return the torrent of an entry of the index. Raises: FixityError when it is not the one that was published."""
        content = self._blobs.read(entry.torrent.path)
        found = TargetFile.of(entry.torrent.path, content)
        if found != entry.torrent:
            problem = f"sha256 is {found.sha256}, the index says {entry.torrent.sha256}"
            raise FixityError(f"editions/{entry.torrent.path}", problem, "Put it back from a mirror: it has the same bytes.")
        return content

    def publish(self, heading: Heading, drops: Iterable[ManifestedDrop], terms: Terms) -> Publication:
        """Return the edition that has these drops beside all drops before, published. See `stage` and `commit`."""
        publication = self.stage(heading, drops, terms)
        self.commit(publication)
        return publication

    def stage(self, heading: Heading, drops: Iterable[ManifestedDrop], terms: Terms) -> Publication:
        """Return the next edition, signed by the keys that are here, with the files of its drops written, and not out yet.

        drops: in order of publication, taken one at a time, so that a generator need hold only one torrent; those that are
        published already are passed over, whatever else they say.
        Returns: `made` false when no drop is new; then only what is about to expire is signed anew.
        Raises: UsageError when nothing was ever published and there is nothing to publish, when the heading has another
        root name or piece length than what is out, or when it is out under keys that this archive has not; StoreError when the
        edition would break a law that mirrors check.
        """
        current = self.index()
        _check_heading(heading, current)
        self._check_own()
        entries = list(current.entries) if current else []
        known = {entry.id for entry in entries}
        with collecting_seldom(_OBJECTS_BETWEEN):
            entries += [self._write(each) for each in drops if each.drop.id not in known]
        if len(entries) == len(known):
            if current is None:
                raise UsageError(heading.root_name, "there is nothing to publish", "Acquire something that may be shared first.")
            return self._publication(current, terms, made=False)
        publication = self._publication(
            Index(
                heading,
                (current.number if current else terms.after) + 1,
                terms.at,
                tuple(entries),
                current.promoted_from if current else (),
            ),
            terms,
            made=True,
        )
        try:
            parse_index(publication.index_content)
        except TrustError as error:
            raise StoreError(error.subject, error.problem, "The edition that is out was not changed.") from None
        return publication

    def renewed(self, terms: Terms, change: Change | None = None) -> Publication:
        """Return the edition that is out with what is about to expire signed anew, and not out yet.

        change: of the keys that sign it. Raises: UsageError before the first edition, and for a change that cannot be.
        """
        self._check_own()
        current = self.index()
        if current is None:
            raise UsageError("editions", "nothing is published yet", "Run `fonoteca publish` first.")
        return self._publication(current, replace(terms, announced=None), made=False, change=change)

    def promoted(self, heading: Heading, promotion: Promotion, terms: Terms, held: Collection[DropId]) -> Publication:
        """Return the edition of another archive that is out here as the first of one's own, and not out yet.

        It has the same drops, those that are held; keys are made where they are missing. Writing it takes the place
        of what the other archive's keys signed, so there is a moment in which nobody can believe either.
        """
        current = self.index()
        assert current is not None, "an edition is out"
        entries = [entry for entry in current.entries if entry.id in held and self.has(entry)]
        here = {entry.id for entry in entries}
        whole = (entry if entry.supersedes in here else replace(entry, supersedes=None) for entry in entries)
        before = (*current.promoted_from, promotion)
        index = Index(heading, promotion.edition + 1, terms.at, tuple(whole), before)
        return self._publication(index, terms, made=True, anew=True)

    def staged(self, publication: Publication) -> dict[str, bytes]:
        """Return the files to carry to where the keys are, by path."""
        return staged_files(publication.draft, read_standing(self._blobs), {INDEX: publication.index_content, **publication.people})

    def finish(self, stages: Sequence[Mapping[str, bytes]], terms: Terms) -> Publication:
        """Return the edition of stages that came back signed, and not out yet.

        stages: their files by name. Raises: UsageError when they are of another edition, StoreError when what they bind is gone.
        """
        self._check_own()
        before, standing = newest_root(self._blobs), read_standing(self._blobs)
        draft = gather(before, standing, stages)
        wanted = draft.targets.signed.targets
        carried = {path: _carried(stages, path, wanted[path].hashes["sha256"]) for path in (INDEX, *PEOPLE) if path in wanted}
        content = carried.pop(INDEX)
        index, current = parse_index(content), self.index()
        self._check_written(index, current)
        people = [TargetFile.of(*each) for each in carried.items()]
        bound = _content(index, content, self._withdrawn(terms), people, _versions_before(index, standing, terms))
        draft = self._signer.finish(draft, standing, bound, terms.at)
        made = current is None or index.number > current.number
        return Publication(index.number, bound.files, content, made, bound.withdrawals, carried, index, draft, terms.at)

    def commit(self, publication: Publication) -> None:
        """Put a staged edition out. The write of timestamp.json is what does it; one that is out already changes nothing.

        Private keys that no root names any more are removed then. Raises: UsageError when it is signed by too few keys.
        """
        standing = read_standing(self._blobs)
        sealed = self._signer.seal(publication.draft, standing, publication.at)
        contents = {INDEX: publication.index_content, WITHDRAWALS: publication.withdrawals, **publication.people}
        for path, content in contents.items() if sealed else publication.people.items():
            self._lay(stamped_path(path, TargetFile.of(path, content).sha256), content)
        for path, content in sealed:
            if path == document_path(Role.ROOT, 1):
                self._forget_roots()
            self._blobs.write(path, content)
        self._tidy(contents)
        self._signer.keyring.drop(publication.draft.retired(standing))

    def good_until(self) -> datetime | None:
        """Return until when mirrors take the edition that is out, None before one is."""
        return expiry(self._blobs)

    def survey(self) -> Survey:
        """Return who may sign, where the keys are, and for how long what they signed is good."""
        return survey(self._blobs, self._signer.keyring)

    def has(self, entry: IndexEntry) -> bool:
        """Return whether the files of a drop are here: a mirror that chose has not all that its edition names."""
        return all(self._blobs.size(file.path) == file.file_bytes for file in entry.files)

    def copy_of(self, edition: TrustedEdition, fetch_read: FetchRead) -> EditionCopy:
        """Return the copy of another archive's edition that grows beside what is out here."""
        return EditionCopy(self._blobs, edition, fetch_read)

    def mirror(self, edition: TrustedEdition, fetch_read: FetchRead, kept: Collection[DropId] | None = None) -> None:
        """Put out another archive's edition as it is: the same bytes under the same names, each proved, timestamp.json last.

        kept: the drops whose files are to be here, None for all.
        Raises: TrustError for a file that is not as the index says; the edition that was out stays then.
        """
        copy = self.copy_of(edition, fetch_read)
        copy.lay_drops(kept)
        contents = copy.changing()
        for path, content in contents.items():
            self._lay(stamped_path(path, TargetFile.of(path, content).sha256), content)
        for path, content in edition.metadata:
            self._lay(path, content)
        self._blobs.delete(document_path(Role.ROOT, edition.root_version + 1))  # of a chain that is not believed any more
        if kept is not None:
            copy.let_go(kept)
        self._tidy(contents)

    def read_awaited(self, path: str, bytes_max: int, timestamp: bytes) -> bytes:
        """Return a file of the edition whose copy is here and not out yet, as `Fetch` does. timestamp: the one that was seen."""
        return timestamp if path == document_path(Role.TIMESTAMP, 0) else self.read_at_most(path, bytes_max)

    def binds(self, edition: TrustedEdition) -> bool:
        """Return whether the keys that sign somebody's targets now have signed those of the edition that is out here, too.

        Where they have not, the root put other keys in their place: what the old ones said binds nobody any more, since they may
        have been stolen.
        """
        standing = read_standing(self._blobs)
        return standing is not None and is_signed(standing.targets, dict(edition.metadata), edition.root_version)

    def begins_as(self, edition: TrustedEdition) -> bool:
        """Return whether the edition that is out here leads back to the same first root as somebody's."""
        path = document_path(Role.ROOT, 1)
        return self._held(path) == dict(edition.metadata).get(path)

    def signs_own(self) -> bool:
        """Return whether a key that dates the edition which is out is here: a mirror has none. False before there is one."""
        root = newest_root(self._blobs)
        named = set(root.signed.roles[Role.TIMESTAMP].keyids) if root else set()
        return bool(named.intersection(key.key_id for key in self._signer.keyring.held()))

    def roots(self) -> tuple[Sha256, ...]:
        """Return the digests of the roots of the edition that is out, the first one first."""
        newest = newest_root(self._blobs)
        paths = [document_path(Role.ROOT, number + 1) for number in range(newest.signed.version if newest else 0)]
        return tuple(TargetFile.of(path, self._blobs.read(path)).sha256 for path in paths)

    @property
    def _signer(self) -> Signatory:
        assert self._signatory is not None, "whoever publishes signs"
        return self._signatory

    def _check_own(self) -> None:
        """Raise UsageError when what is out is signed by keys of which this archive has none: it is a mirror."""
        if newest_root(self._blobs) is not None and not self.signs_own():
            problem = "its edition is signed with keys that are not in this archive's keys/"
            remedy = (
                "Publish where the keys are, or put them back from a backup; a mirror whose origin is gone: `fonoteca promote`."
            )
            raise UsageError("editions", problem, remedy)

    def _publication(
        self, index: Index, terms: Terms, made: bool, change: Change | None = None, *, anew: bool = False
    ) -> Publication:
        """Return an index as the set of its files, signed by the keys that are here. anew: under a root that follows on none."""
        content, standing = index_bytes(index), read_standing(self._blobs)
        files, people = self._people(index, terms, None if made else standing)
        bound = _content(index, content, self._withdrawn(terms), files, _versions_before(index, standing, terms))
        before = None if anew else newest_root(self._blobs)
        draft = self._signer.draft(before, standing, bound, terms.at, change)
        return Publication(index.number, bound.files, content, made, bound.withdrawals, people, index, draft, terms.at)

    def _people(self, index: Index, terms: Terms, standing: Standing | None) -> tuple[list[TargetFile], dict[str, bytes]]:
        """Return the files for people, and their contents. standing: what is out, where its own are to stay.

        One that was lost is made again; where other settings make it another one, that one is signed for.
        """
        if standing is None:
            made = people_files(index, index_bytes(index), terms.announced or Announcement())
            return [TargetFile.of(*each) for each in made.items()], made
        signed = standing.targets.signed.targets
        files = [TargetFile(path, signed[path].length, Sha256(signed[path].hashes["sha256"])) for path in PEOPLE if path in signed]
        places = {file: (stamped_path(file.path, file.sha256), file.path) for file in files}
        found = {file.path: content for file in files for content in map(self._held, places[file]) if _is(file, content)}
        if len(found) < len(files) and terms.announced is not None:
            return self._people(index, terms, None)
        return files, found

    def _held(self, path: str) -> bytes:
        """Return a file that is out, b"" where there is none."""
        return b"" if self._blobs.size(path) is None else self._blobs.read(path)

    def _withdrawn(self, terms: Terms) -> bytes:
        """Return what withdrawals.json is to be."""
        found = terms.withdrawals if terms.withdrawals is not None else self.withdrawals()
        return NOTHING_WITHDRAWN if found is None else found

    def _check_written(self, index: Index, current: Index | None) -> None:
        """Raise StoreError unless all files of drops that are not out yet are here as an index says."""
        known = set(current.entries) if current else set()
        for file in (file for entry in index.entries if entry not in known for file in entry.files):
            if self._blobs.size(file.path) != file.file_bytes or TargetFile.of(file.path, self._blobs.read(file.path)) != file:
                raise StoreError(f"editions/{file.path}", "it was changed since it was staged", "Stage the edition again.")

    def _tidy(self, contents: Mapping[str, bytes]) -> None:
        """Lay the copies for people, and remove what no edition but older ones than the last two names."""
        for path, content in contents.items():
            self._lay(path, content)
        for path in superseded(self._blobs):
            self._blobs.delete(path)

    def _forget_roots(self) -> None:
        """Remove the roots after the first one, the last of them first: another one is about to be written in its place."""
        last = newest_root(self._blobs)
        for version in range(last.signed.version if last else 0, 1, -1):
            self._blobs.delete(document_path(Role.ROOT, version))

    def _lay(self, path: str, content: bytes) -> None:
        """Put a file where it is not as it is to be."""
        if self._blobs.size(path) != len(content) or self._blobs.read(path) != content:
            self._blobs.write(path, content)

    def _write(self, each: ManifestedDrop) -> IndexEntry:
        """Write the files of one drop, in place of what a crash may have left, and return its entry."""
        parquet, jsonl = to_parquet(each.rows), to_jsonl(each.rows)
        entry = entry_of(each.drop, each.torrent, parquet, jsonl)
        self._blobs.write(entry.torrent.path, each.torrent)
        self._blobs.write(entry.manifest_parquet.path, parquet)
        self._blobs.write(entry.manifest_jsonl.path, jsonl)
        return entry

    def read_at_most(self, path: str, bytes_max: int) -> bytes:
        """Return a file of the edition, as `Fetch` reads somebody else's.

        Raises: TrustError when it is longer than bytes_max, SourceMissing when it is not there.
        """
        found = self._blobs.size(path)
        if found is None:
            raise SourceMissing(f"editions/{path}", "there is no such file", "Put it back from a mirror or a backup.")
        if found > bytes_max:
            raise TrustError(path, f"{found} bytes, expected at most {bytes_max}")
        return self._blobs.read(path)


def _versions_before(index: Index, standing: Standing | None, terms: Terms) -> int:
    """Return after which version metadata begin that follow on none: what was out was lost, and mirrors have seen versions of it.

    The minutes since 1970: no archive has published more often than once a minute.
    """
    return int(terms.at.timestamp()) // 60 if standing is None and index.number > 1 else 0


def _content(index: Index, content: bytes, withdrawals: bytes, people: Iterable[TargetFile], after: int) -> Content:
    """Return what an edition binds. content: of index.json. people: the files for people. after: as `Content` has it."""
    files = [file for entry in index.entries for file in entry.files]
    files += [TargetFile.of(INDEX, content), *people]
    return Content(tuple(sorted(files, key=lambda file: file.path)), withdrawals, after)


def _carried(stages: Iterable[Mapping[str, bytes]], path: str, sha256: str) -> bytes:
    """Return the content that a stage carries beside what was signed. Raises: UsageError when it is another one."""
    found = (files.get(f"{CONTENTS}/{path}", b"") for files in stages)
    content = next((each for each in found if TargetFile.of(path, each).sha256 == sha256), None)
    if content is None:
        raise UsageError(f"{CONTENTS}/{path}", "it is not the one that was signed", "Name the folder that was staged.")
    return content


def _is(file: TargetFile, content: bytes) -> bool:
    return TargetFile.of(file.path, content) == file


def _check_heading(heading: Heading, current: Index | None) -> None:
    """Raise UsageError when what can never change has changed."""
    fixed = (heading.root_name, heading.piece_bytes)
    published = (current.heading.root_name, current.heading.piece_bytes) if current else fixed
    if fixed != published:
        raise UsageError(
            heading.root_name,
            f"published with root name and piece length {published}, asked for {fixed}",
            "Both are fixed at `init`: every torrent that is out depends on them.",
        )
