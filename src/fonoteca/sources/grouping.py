"""From the files of one item to candidates: one for each kind and each body of evidence.

The rule for keys, which must not change when files are added to an item or taken from it: files of which only the item's
own statement speaks keep the item's key; where anything else speaks (a tag, a stanza for some files, an override), and
where nothing does, `#` and a suffix made from those statements alone follow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Candidate, CandidateFile, LeftOut
from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Evidence, Kind, Scheme
from fonoteca.model.terms import ALWAYS, Term
from fonoteca.sources.credits import credit_line, joined, uniform_album, uniform_artist
from fonoteca.sources.statements import plain_name, suffix_of


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file of an item with all that speaks for it.

    own: evidence that is the item's own statement; other: evidence for this file beside or in place of it.
    credit: the line to credit that comes with the evidence, "" where it names nobody. notices: texts that many files share.
    """

    file: CandidateFile
    kind: Kind
    own: tuple[Evidence, ...] = ()
    other: tuple[Evidence, ...] = ()
    tags: Tags | None = None
    credit: str = ""
    notices: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The suffix of the candidate it belongs to, "" for the item's own key."""
        if self.own and not self.other:
            return ""
        return suffix_of(e.statement for e in self.other)


@dataclass(frozen=True, slots=True)
class Item:
    """An item as its source names it. title and artist: as its owner states them; "" leaves them to the tags.

    term: from when, until when and where its owner lets it be shared.
    """

    key: str
    title: str
    artist: str
    fallback_title: str
    source_uri: str
    left_out: tuple[LeftOut, ...] = field(default=())
    term: Term = ALWAYS


def candidates_of(item: Item, files: Sequence[OfferedFile]) -> Iterator[Candidate]:
    """Yield an item's candidates: audio before artwork, the item's own key first, then by suffix; files in order of path."""
    tags = [f.tags for f in files if f.tags is not None]
    title = item.title or uniform_album(tags) or item.fallback_title
    artist = item.artist or uniform_artist(tags)
    groups: dict[tuple[bool, str], list[OfferedFile]] = {}
    for file in files:
        groups.setdefault((file.kind is Kind.ARTWORK, file.suffix), []).append(file)
    left_out = item.left_out
    if not groups and left_out:
        yield Candidate(ItemKey(item.key), Kind.AUDIO, title, artist, item.source_uri, (), (), left_out=left_out)
    for (_, suffix), members in sorted(groups.items()):
        members.sort(key=lambda f: f.file.logical_path)
        group_tags = [f.tags for f in members if f.tags is not None]
        yield Candidate(
            item=ItemKey(f"{item.key}#{suffix}" if suffix else item.key),
            kind=members[0].kind,
            title=item.title or uniform_album(group_tags) or title,
            artist=item.artist or uniform_artist(group_tags) or artist,
            source_uri=item.source_uri,
            files=tuple(f.file for f in members),
            evidence=merged(e for f in members for e in (*f.own, *f.other)),
            attribution=joined(f.credit or (credit_line(f.tags) if f.tags else "") for f in members),
            notices="\n\n".join(dict.fromkeys(text for f in members for text in f.notices if text)),
            left_out=left_out,
            term=item.term,
        )
        left_out = ()


def said_by(tags: Tags | None, source_uri: str, now: datetime) -> tuple[Evidence, ...]:
    """Return what a file's own tags say of its licence, as evidence; nothing where they say nothing."""
    statement = tags.licence.strip() if tags is not None else ""
    if not statement:
        return ()
    return (Evidence(Scheme.TAG, statement, source_uri, "file tag", now, statement.encode("utf-8", "surrogatepass")),)


def merged(evidence: Iterator[Evidence]) -> tuple[Evidence, ...]:
    """Return each statement once: the first of those that say the same in the same scheme and from the same declarer."""
    kept: dict[tuple[str, str, str], Evidence] = {}
    for one in evidence:
        kept.setdefault((one.scheme, plain_name(one.statement), one.declarer), one)
    return tuple(kept.values())


def without_echo(own: Sequence[Evidence], other: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return the other evidence less what only repeats the item's own statement in another spelling."""
    said = {plain_name(e.statement) for e in own}
    return tuple(e for e in other if plain_name(e.statement) not in said)
