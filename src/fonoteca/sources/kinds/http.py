"""`http`: a list of addresses with their rights, or the index of a folder on a web server. See docs/sources.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from urllib.parse import quote, urlsplit

from fonoteca.model.corridor import Candidate, Elsewhere, LeftOut, Want
from fonoteca.model.errors import SourceError, SourceMissing, UsageError
from fonoteca.model.ids import LogicalPath
from fonoteca.model.rights import Evidence, Kind, Scheme
from fonoteca.sources.grouping import Item, OfferedFile, candidates_of
from fonoteca.sources.listings import Row, links_below, read_list
from fonoteca.sources.offering import Found, Held, SourceContext
from fonoteca.sources.paths import logical_path
from fonoteca.sources.remote import DOCUMENT_BYTES_MAX, count_of, digests_of, key_of, name_of, plain_words, remote_file
from fonoteca.sources.rightsfile import RIGHTS_BYTES_MAX, RIGHTS_FILE, RightsFile, Terms, parse_rights
from fonoteca.sources.roles import Role, role_of
from fonoteca.sources.statements import scheme_of, suffix_of

FOLDERS_MAX = 20_000
DEPTH_MAX = 12
_READINGS = "http readings"
_KINDS = {Role.AUDIO: Kind.AUDIO, Role.ARTWORK: Kind.ARTWORK}


class HttpSource:
    """Files on web servers."""

    kind = "http"

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        """Yield what an address offers: a list of files, or the folder of an index and those below it.

        `LIST#ITEM` is one item of a list. A folder's address ends in `/`.
        """
        address, wanted = self.begins(ref), ref.partition("#")[2]
        if address.endswith("/"):
            yield from _walk(address, context)
            return
        for name, rows in _listed(address, context).items.items():
            if not wanted or name == wanted:
                yield from _of_rows(address, name, rows, context)

    def begins(self, ref: str) -> str:
        """Return the address of the list or folder. Raises: UsageError."""
        if urlsplit(ref).scheme not in ("http", "https"):
            raise UsageError(ref, "is no http or https address", "Give the address of a list, or of a folder with `/` at its end.")
        return ref.partition("#")[0]

    def find(self, want: Want, place: str, context: SourceContext) -> Iterator[Found]:
        """Yield the item of a list with a want's file, recording, or artist and title. A folder's index is not searched."""
        address = place.split()[0]
        if not address.endswith("/"):
            index = _listed(address, context).index
            asked = (plain_words(want.recording), plain_words(want.source_uri), plain_words(want.artist, want.title))
            found = next((index[key] for key in asked if key.strip("\0") and key in index), None)
            if found is not None:
                yield Found(f"{address}#{found[0]}", found[1])

    def asks(self, want: Want, place: str) -> Iterator[str]:
        """Yield the list's address."""
        if not place.split()[0].endswith("/"):
            yield place.split()[0]

    def asked_again(self, held: Held) -> str:
        """Return the address of the list, or of the folder's rights."""
        is_address = held.told_at.startswith(("http://", "https://"))
        return held.told_at + (RIGHTS_FILE if held.told_at.endswith("/") else "") if is_address else ""

    def said_again(self, held: Held, context: SourceContext) -> tuple[Evidence, ...]:
        """Return what the list says now of the files that are held, or the rights.toml of the folder or the nearest above it."""
        return _folder_again(held, context) if held.told_at.endswith("/") else _list_again(held, context)


SOURCE = HttpSource()


@dataclass(frozen=True, slots=True)
class _Listed:
    """A list as it was read last. items: rows by item, in order. index: item and address of a file, by what wants know of it."""

    content: bytes
    usage: str
    items: Mapping[str, Sequence[Row]]
    index: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class _Readings:
    """Readings of a list: those begun, and the last one answered. An answer is for all who came before it was asked for."""

    lock: Lock = field(default_factory=Lock)
    begun: int = 0
    answered: int = 0


def _listed(address: str, context: SourceContext, *, anew: bool = False) -> _Listed:
    """Return a list, read once in a run; anew: as its host has it after this call, asked by its validator."""
    readings = context.seen.setdefault((_READINGS, address), _Readings())
    assert isinstance(readings, _Readings), "made here alone"
    before = readings.begun
    with readings.lock:
        known = context.seen.get((HttpSource.kind, address))
        if isinstance(known, _Listed) and (not anew or readings.answered > before):
            return known  # what was asked for while we waited was asked for after we came
        readings.begun += 1
        listed = _read_anew(address, context)
        readings.answered = readings.begun
        return listed


def _read_anew(address: str, context: SourceContext) -> _Listed:
    known = context.seen.get((HttpSource.kind, address))
    page = context.web.read(address, DOCUMENT_BYTES_MAX)
    if not isinstance(known, _Listed) or known.content != page.content:
        items: dict[str, list[Row]] = {}
        for row in read_list(page.content, page.url):
            items.setdefault(row.item or row.release or name_of(row.url.rpartition("/")[0]) or "item", []).append(row)
        known = _Listed(page.content, page.usage, items, _indexed(items))
        context.seen[HttpSource.kind, address] = known
    return known


def _indexed(items: Mapping[str, Sequence[Row]]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name, rows in items.items():
        for row in rows:
            for key in (plain_words(row.recording), plain_words(row.url), plain_words(row.artist, row.title)):
                if key.strip("\0"):
                    found.setdefault(key, (name, row.url))
    return found


def _of_rows(address: str, name: str, rows: Sequence[Row], context: SourceContext) -> Iterator[Candidate]:
    left_out: list[LeftOut] = []
    offered: list[OfferedFile] = []
    seen: set[str] = set()
    for row in rows:
        shown = name_of(row.url)
        role, path = role_of(shown), logical_path(shown.encode("utf-8", "surrogateescape"))
        if role not in _KINDS:
            left_out.append(LeftOut(shown or row.url, "unsupported", "its name does not say that it is music or a picture"))
        elif path is None or path in seen:
            left_out.append(LeftOut(shown, "name", "its name cannot be a path of its own in an archive"))
        else:
            seen.add(path)
            file = remote_file(path, Elsewhere(row.url, digests_of(row.stated)), count_of(row.stated.get("bytes")))
            said = _evidence(row, address, context)
            credit = row.attribution or _credit(row)
            offered.append(OfferedFile(file, _KINDS[role], (), said, credit=credit))
    first = rows[0]
    artists = {row.artist for row in rows}
    item = Item(
        key_of(HttpSource.kind, name, address),
        first.release or (first.title if len(rows) == 1 else name),
        first.artist if len(artists) == 1 else "Various Artists",
        name,
        first.source or address,
        tuple(left_out),
    )
    for candidate in candidates_of(item, offered):
        usage = _listed(address, context).usage
        yield replace(candidate, restate=partial(_restated, (address, name, candidate), context), usage=usage)


def _restated(which: tuple[str, str, Candidate], context: SourceContext) -> tuple[Evidence, ...]:
    """Return what a list says now of the files of a candidate."""
    address, name, candidate = which
    urls = {file.elsewhere.url for file in candidate.files if file.elsewhere}
    rows = _listed(address, context, anew=True).items.get(name, ())
    said = {e.statement: e for row in rows if row.url in urls for e in _evidence(row, address, context)}
    missing = urls - {row.url for row in rows}
    if missing:
        raise SourceError(f"{address}#{name}", f"no longer lists {len(missing)} of its files", "Run the same command again.")
    return tuple(said.values())


def _path_of(url: str) -> LogicalPath | None:
    return logical_path(name_of(url).encode("utf-8", "surrogateescape"))


def _list_again(held: Held, context: SourceContext) -> tuple[Evidence, ...]:
    address, item = held.told_at, held.item.partition("#")[0]
    items = _listed(address, context).items
    name = next((each for each in items if key_of(HttpSource.kind, each, address) == item), None)
    rows = {_path_of(row.url): row for row in items[name]} if name is not None else {}
    missing = [each for each in held.names if each not in rows]
    if missing:
        raise SourceMissing(f"{address}#{name or item}", f"lists {len(missing)} of its files no more, such as {missing[0]!r:.80}")
    return tuple({e.statement: e for each in held.names for e in _evidence(rows[each], address, context)}.values())


def _evidence(row: Row, address: str, context: SourceContext) -> tuple[Evidence, ...]:
    if not row.licence:
        return ()
    return (Evidence(scheme_of(row.licence), row.licence, address, "list of files", context.clock.now(), row.raw),)


def _credit(row: Row) -> str:
    title = f"“{row.title}”" if row.title else ""
    return " by ".join(part for part in (title, row.artist) if part)


# A folder's index -------------------------------------------------------------------------------------------------------


def _walk(top: str, context: SourceContext) -> Iterator[Candidate]:
    """Yield the candidates of a folder and those below it, each folder one item. Bounded, whatever the indexes say."""
    waiting: list[tuple[str, int, RightsFile | None, bytes]] = [(top, 0, None, b"")]
    seen = {top}
    while waiting:
        folder, depth, stated, raw = waiting.pop(0)
        page = context.web.read(folder, DOCUMENT_BYTES_MAX)
        if page.media_type not in ("text/html", "application/xhtml+xml"):
            raise SourceError(
                folder, f"is no index of a folder, but {page.media_type or 'of no type'}", "Name a list, or a folder."
            )
        links = links_below(page.content, page.url if page.url.endswith("/") else folder)
        files = [link for link in links if not link.endswith("/")]
        if any(name_of(link) == RIGHTS_FILE for link in files):
            stated, raw = _rights(folder + RIGHTS_FILE, context)
        yield from _of_folder((top, folder), files, (stated, raw), context)
        for link in links:
            if link.endswith("/") and link not in seen:
                seen.add(link)
                if depth + 1 > DEPTH_MAX or len(seen) > FOLDERS_MAX:
                    problem = f"has more than {FOLDERS_MAX:,} folders, or folders {DEPTH_MAX} deep"
                    raise SourceError(top, problem, "Name a folder further down.")
                waiting.append((link, depth + 1, stated, raw))


def _rights(url: str, context: SourceContext) -> tuple[RightsFile, bytes]:
    content = context.web.read(url, RIGHTS_BYTES_MAX).content
    return parse_rights(content, url), content


def _of_folder(
    where: tuple[str, str], files: Sequence[str], rights: tuple[RightsFile | None, bytes], context: SourceContext
) -> Iterator[Candidate]:
    top, folder = where
    stated, raw = rights
    offered: list[OfferedFile] = []
    for url in files:
        name = name_of(url)
        path = logical_path(name.encode("utf-8", "surrogateescape"))
        if path is None or role_of(name) not in _KINDS:
            continue
        override = stated.override_for(name) if stated else None
        terms = override.terms if override else stated.terms if stated else Terms()
        kind = _KINDS[role_of(name)]
        if kind is Kind.ARTWORK and stated is not None and stated.artwork is not None and override is None:
            terms = stated.artwork
        said = _stated(terms, folder, raw, context)
        file = remote_file(path, Elsewhere(url), None)
        own, other = ((), said) if override or not said else (said, ())
        offered.append(OfferedFile(file, kind, own, other, credit=terms.attribution))
    if not offered:
        return
    name = name_of(folder.rstrip("/")) or "folder"
    title, artist = (stated.title, stated.artist) if stated else ("", "")
    item = Item(key_of(HttpSource.kind, name, folder), title or name, artist, name, (stated.source_uri if stated else "") or folder)
    for candidate in candidates_of(item, offered):
        yield replace(candidate, restate=partial(_folder_restated, (top, folder, candidate), context))


def _stated(terms: Terms, folder: str, raw: bytes, context: SourceContext) -> tuple[Evidence, ...]:
    """Return the evidence of a rights.toml on a host: its licence. What somebody else calls their own is no declaration of ours."""
    if not terms.statement:
        return ()
    scheme = Scheme.FREE_TEXT if terms.own_acts else scheme_of(terms.licence)
    return (Evidence(scheme, terms.statement, folder, "rights.toml at the host", context.clock.now(), raw),)


def _folder_restated(which: tuple[str, str, Candidate], context: SourceContext) -> tuple[Evidence, ...]:
    """Return what a folder's rights.toml, or the nearest above it, says now of the files of a candidate."""
    top, folder, candidate = which
    while True:
        try:
            rights = _rights(folder + RIGHTS_FILE, context)
            break
        except SourceMissing:
            if folder == top:
                return ()
            folder = folder.rstrip("/").rpartition("/")[0] + "/"
    urls = [file.elsewhere.url for file in candidate.files if file.elsewhere]
    anew = _of_folder((top, which[1]), urls, rights, context)
    same = [each for each in anew if each.kind is candidate.kind]
    return tuple({suffix_of([e.statement]): e for each in same for e in each.evidence}.values())


def _folder_again(held: Held, context: SourceContext) -> tuple[Evidence, ...]:
    """Return what a folder says now. Nobody remembers how far up one looked: up to the root, DEPTH_MAX folders."""
    folder = held.told_at
    root = "/".join(folder.split("/")[:3]) + "/"
    for _ in range(DEPTH_MAX):
        try:
            rights = _rights(folder + RIGHTS_FILE, context)
            break
        except SourceMissing:
            if folder == root:
                return ()
            folder = folder.rstrip("/").rpartition("/")[0] + "/"
    else:
        return ()
    urls = [held.told_at + quote(each) for each in held.names]
    anew = _of_folder((root, held.told_at), urls, rights, context)
    return tuple({e.statement: e for each in anew if each.kind is held.kind for e in each.evidence}.values())
