"""Hosts that are not ours, asked with manners: documents, and files that are gone on with where they stopped.

The one client for all kinds of sources that are elsewhere, as `fonoteca.ports.Web`. Rules:
  1. robots.txt is asked first, of the host that a redirect leads to as well;
  2. a refusal is never tried again; what may pass is, a few times, longer apart each time, and never before the host said;
  3. what was fetched whole or in part is not fetched again while the host says that it is the same;
  4. two states of a file are never mixed.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from fonoteca.edges.chance import throw
from fonoteca.edges.logins import NO_LOGINS, Logins
from fonoteca.edges.manners import Gate, check_usage, host_of, shown, user_agent
from fonoteca.edges.manners_book import PAGE_BYTES_MAX, KeptPage, KeptRobots, MannersBook, Part
from fonoteca.edges.wire import Body, BrokenWireError, Line, Patience, StaleWireError, Watchdog, check_plain
from fonoteca.formats.robots import ROBOTS_BYTES_MAX
from fonoteca.model.errors import SourceBusy, SourceError, SourceMissing, SourceRefused, StoreError, TrustError
from fonoteca.model.manners import Asked, Download, Downloaded, Manners, Page

ATTEMPTS_MAX = 4
BACKOFF_S = 0.5
BACKOFF_S_MAX = 30.0
LEFT_ALONE_S_MAX = 7 * 86_400.0
REDIRECTS_MAX = 5
ROBOTS_ATTEMPTS = 3
_REFUSED = frozenset({401, 402, 403, 407, 451})
_ABSENT = frozenset({404, 405, 410})
_BUSY = frozenset({429, 503})
_PASSING = frozenset({408, 425, 500, 502, 504, 522, 524})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_PAGE, _MESSAGE = "a page for people is sent in place of the file", "a message is sent in place of the file"
_NO_FILES = {
    **dict.fromkeys(("text/html", "application/xhtml+xml"), _PAGE),
    **dict.fromkeys(("application/json", "application/problem+json", "text/xml", "application/xml"), _MESSAGE),
}
"""What is never music, by its media type."""
_Taken = TypeVar("_Taken")


class _PassingError(Exception):
    """An answer that may be another one later. busy: the host that wants to be left alone, "" for none; after_s: for so long."""

    def __init__(self, problem: str, busy: str = "", after_s: float | None = None) -> None:
        self.busy = busy
        self.after_s = after_s
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of the redirects. url: where it was. usage: what robots.txt and the answer say of its use."""

    url: str
    response: http.client.HTTPResponse
    usage: str
    host: str


@dataclass(slots=True)
class _Lines:
    """Connections to one origin that nobody uses now."""

    idle: SimpleQueue[Line] = field(default_factory=SimpleQueue)


class PoliteWeb:
    """`Web` over http and https. Threads may share it. Close it."""

    def __init__(self, manners: Manners, book: MannersBook, patience: Patience | None = None, logins: Logins = NO_LOGINS) -> None:
        self._gate = Gate(manners, book)
        self._logins = logins
        self._manners = manners
        self._book = book
        self._patience = patience or Patience()
        self._watchdog = Watchdog()
        self._lines: dict[str, _Lines] = {}
        self._headers = {"User-Agent": user_agent(manners), "Accept-Encoding": "identity"}
        if "@" in manners.contact:
            self._headers["From"] = manners.contact

    def close(self) -> None:
        """Close connections and notes."""
        for lines in self._lines.values():
            with suppress(Empty):
                while True:
                    lines.idle.get_nowait().close()
        self._watchdog.close()
        self._book.close()

    @property
    def sent(self) -> int:
        """How many requests were sent, by this run."""
        return self._gate.sent

    def asked(self) -> list[Asked]:
        """Return what was asked of each host today."""
        return self._book.all(self._gate.day)

    def free_at(self, url: str) -> datetime | None:
        """Return when the host of an address may be asked again, None for now."""
        at = self._gate.free_at(host_of(url))
        return datetime.fromtimestamp(at, UTC) if at else None

    # Documents ------------------------------------------------------------------------------------------------------

    def read(self, url: str, bytes_max: int) -> Page:
        """Return a document, asked for anew or as it was kept while the host says that it is unchanged.

        Raises: SourceMissing, SourceRefused, SourceBusy, SourceError; TrustError for a redirect that leads where it must not.
        """
        kept = self._book.page(url)
        headers = {}
        if kept is not None and len(kept.content) <= bytes_max:
            headers = {"If-None-Match": kept.etag} if kept.etag else {"If-Modified-Since": kept.modified}

        def take(answer: Answer) -> Page:
            if answer.response.status == 304 and kept is not None and headers:
                return Page(kept.target, kept.content, kept.media_type, kept.usage)
            _check(answer, 200)
            content = b"".join(self._chunks(answer, bytes_max))
            page = Page(answer.url, content, _media_type(answer.response), answer.usage)
            self._keep(url, answer.response, page)
            return page

        return self._ask(url, headers, take)

    def _keep(self, url: str, response: http.client.HTTPResponse, page: Page) -> None:
        etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        if (
            (etag or modified)
            and len(page.content) <= PAGE_BYTES_MAX
            and "no-store" not in response.headers.get("Cache-Control", "")
        ):
            self._book.keep_page(
                url, KeptPage(etag, modified, page.url, page.media_type, page.usage, page.content), self._gate.now()
            )

    def _chunks(self, answer: Answer, bytes_max: int) -> Iterator[bytes]:
        """Yield a body. Raises: SourceError for one that is longer than it may be."""
        check_plain(answer.url, answer.response)
        length = answer.response.length
        if length is not None and length > bytes_max:
            raise _too_long(answer.url, f"{length:,} bytes", bytes_max)
        body = Body(answer.response, self._patience)
        noted = 0
        try:
            while chunk := body.read():
                if body.came_bytes > bytes_max:
                    raise _too_long(answer.url, "more", bytes_max)
                yield chunk
                if body.came_bytes - noted > 4 << 20:
                    fresh, noted = body.came_bytes - noted, body.came_bytes
                    self._gate.came(answer.host, fresh)
        finally:
            self._book.note_bytes(answer.host, self._gate.day, body.came_bytes - noted)

    # Files ----------------------------------------------------------------------------------------------------------

    def download(self, wanted: Download, advance: Callable[[int], None]) -> Downloaded:
        """Return when the whole file is at its path, proved by the digests that are stated. advance: told of bytes as they come.

        What an earlier run left there is gone on with where the host says that the file is still the same.
        Raises: as `read`; SourceError for a page in place of the file, another length or another digest, and it is gone then.
        """
        with _disk(wanted.path):
            if wanted.path.exists():
                try:
                    whole = _prove(wanted, wanted.path)
                except SourceError:  # of an older state of the item: fetched anew
                    wanted.path.unlink()
                else:
                    part = self._book.part(wanted.url)
                    if wanted.digests or (part is not None and self._is_same(wanted.url, part)):
                        return Downloaded(whole, 0, part.usage if part else "")
            return self._ask_for_file(wanted, advance)

    def _is_same(self, url: str, part: Part) -> bool:
        """Return whether a host says that a file is as it was fetched, where nothing else proves it."""
        if not part.validator:
            return False
        name = "If-None-Match" if part.validator.startswith('"') else "If-Modified-Since"
        return self._ask(url, {name: part.validator}, lambda answer: answer.response.status == 304)

    def _ask_for_file(self, wanted: Download, advance: Callable[[int], None]) -> Downloaded:
        fetched = 0

        def counted(count: int) -> None:
            nonlocal fetched
            fetched += count
            advance(count)

        def headers() -> Mapping[str, str]:
            part, at = self._begun(wanted)
            return {"Range": f"bytes={at}-", "If-Range": part.validator} if at and part else {}

        usage = self._ask(wanted.url, headers, lambda answer: self._receive(answer, wanted, counted))
        partial = _partial(wanted.path)
        try:
            found_bytes = _prove(wanted, partial)
        except SourceError:
            partial.unlink()
            self._book.forget_part(wanted.url)
            raise
        partial.rename(wanted.path)
        return Downloaded(found_bytes, fetched, usage)

    def _begun(self, wanted: Download) -> tuple[Part | None, int]:
        """Return what is known of a file that was begun, and how much of it is here."""
        partial, part = _partial(wanted.path), self._book.part(wanted.url)
        if part is None or not part.validator or not partial.exists():
            return None, 0
        return part, partial.stat().st_size

    def _receive(self, answer: Answer, wanted: Download, advance: Callable[[int], None]) -> str:
        """Write what comes to the partial file. Returns: what is said of its use."""
        partial, response = _partial(wanted.path), answer.response
        part, begun_bytes = self._begun(wanted)
        if response.status == 416 and part is not None:
            partial.unlink(missing_ok=True)
            self._book.forget_part(wanted.url)
            raise _PassingError("it has not so many bytes any more")
        if response.status == 206 and part is not None and begun_bytes:
            match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            first, last, whole = map(int, match.groups()) if match else (-1, -1, -1)
            if (
                first != begun_bytes
                or last != whole - 1
                or whole != part.file_bytes
                or _strong(response) not in ("", part.validator)
            ):
                partial.unlink(missing_ok=True)
                self._book.forget_part(wanted.url)
                raise _PassingError(f"it sends another part than was asked for: {response.headers.get('Content-Range', '')!r:.60}")
        else:
            _check(answer, 200)
            begun_bytes = 0
            if _media_type(response) in _NO_FILES:
                raise SourceError(shown(wanted.url), _NO_FILES[_media_type(response)], "Look at the address in a browser.")
            if wanted.file_bytes is not None and response.length not in (None, wanted.file_bytes):
                problem = f"{wanted.file_bytes:,} bytes were stated, {response.length:,} are sent"
                raise SourceError(shown(wanted.url), problem, "It changed since it was listed: run the same command again.")
            self._book.keep_part(wanted.url, Part(_strong(response), response.length, answer.usage), self._gate.now())
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            os.ftruncate(descriptor, begun_bytes)
            os.lseek(descriptor, begun_bytes, os.SEEK_SET)
            for chunk in self._chunks(answer, self._manners.file_bytes_max - begun_bytes):
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]
                advance(len(chunk))
        finally:
            os.close(descriptor)
        return part.usage if part is not None and begun_bytes else answer.usage

    # Asking ---------------------------------------------------------------------------------------------------------

    def _ask(
        self, url: str, headers: Mapping[str, str] | Callable[[], Mapping[str, str]], take: Callable[[Answer], _Taken]
    ) -> _Taken:
        url = check_address(url)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with self._follow(url, headers() if callable(headers) else headers) as answer:
                    return take(answer)
            except (BrokenWireError, _PassingError) as error:
                if isinstance(error, _PassingError) and error.busy:
                    # For all who ask it: a host that is too busy for one request is for the next one, too.
                    self._gate.leave(error.busy, min(error.after_s or BACKOFF_S, LEFT_ALONE_S_MAX))
                after_s = error.after_s if isinstance(error, _PassingError) else None
                if attempt == ATTEMPTS_MAX or (after_s or 0) > self._manners.retry_wait_s_max:
                    kind = SourceBusy if isinstance(error, _PassingError) and after_s is not None else SourceError
                    tries = f"{attempt} {'try' if attempt == 1 else 'tries'}"
                    raise kind(shown(url), f"not to be had after {tries}: {error}", "Run the same command again later.") from error
                if after_s is None and not isinstance(error, StaleWireError):
                    # Half of it by chance, so that many who met the same failure do not come back in one moment.
                    self._gate.sleep(min(BACKOFF_S_MAX, BACKOFF_S * 2 ** (attempt - 1)) * (0.5 + throw() / 2))
        raise AssertionError("ATTEMPTS_MAX is at least 1")

    @contextmanager
    def _follow(self, start: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """Give the answer at the end of the redirects; each host on the way is asked for its robots.txt and its turn."""
        url = start
        seen = {url}
        for _ in range(REDIRECTS_MAX + 1):
            usage = self._gate.check_robots(url, self._read_robots)
            with self._exchange(url, headers) as response:
                if response.status not in _REDIRECTS:
                    said = [usage, *response.headers.get_all("Content-Usage", [])]
                    check_usage(url, ", ".join(said))
                    yield Answer(url, response, ", ".join(filter(None, said)), host_of(url))
                    return
                target = check_address(urldefrag(urljoin(url, response.headers.get("Location", "")))[0])
            if (urlsplit(url).scheme, urlsplit(target).scheme) == ("https", "http"):
                raise TrustError(
                    shown(start), f"redirects to {shown(target)}, which is not safe", "Ask its host for a safe address."
                )
            if target in seen:
                raise SourceError(shown(start), "redirects in a circle", "Look at the address in a browser.")
            seen.add(target)
            url = target
        raise SourceError(shown(start), f"redirects more than {REDIRECTS_MAX} times", "Give the address that it leads to.")

    @contextmanager
    def _exchange(self, url: str, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
        """Give the answer to one request, sent when its turn is."""
        parts = urlsplit(url)
        origin, host = f"{parts.scheme}://{parts.netloc}", host_of(url)
        with self._gate.lane(host):
            line = self._line(origin)
            try:
                line.prepare()
                self._gate.wait_turn(host)
                target, known = self._logins.signed(parts)
                response = line.ask(target, {**self._headers, **known, **headers})
                try:
                    if response.status in _REDIRECTS or response.status == 304:
                        response.read(65_536)
                    yield response
                finally:
                    line.done(response)
            finally:
                self._lines[origin].idle.put(line)

    def _line(self, origin: str) -> Line:
        lines = self._lines.setdefault(origin, _Lines())
        try:
            return lines.idle.get_nowait()
        except Empty:
            return Line(origin, self._manners, self._patience, self._watchdog)

    def _read_robots(self, url: str) -> KeptRobots:
        """Return a host's robots.txt: RFC 9309 section 2.3.1."""
        at = self._gate.now()
        for attempt in range(ROBOTS_ATTEMPTS):
            try:
                return self._robots_at(url, at)
            except BrokenWireError:
                self._gate.sleep(BACKOFF_S * attempt)
            except SourceError:
                break
        return KeptRobots(b"", "unreachable", at)

    def _robots_at(self, url: str, at: float) -> KeptRobots:
        for _ in range(REDIRECTS_MAX + 1):
            with self._exchange(url, {}) as response:
                if response.status in _REDIRECTS:
                    url = check_address(urljoin(url, response.headers.get("Location", "")))
                    continue
                if response.status == 200:
                    check_plain(url, response)
                    return KeptRobots(self._some(response), "given", at)
                if response.status in _BUSY:
                    self._gate.leave(host_of(url), _retry_after(response, at) or 0.0)
                if response.status >= 500 or response.status in _BUSY:
                    return KeptRobots(b"", "unreachable", at)
                return KeptRobots(b"", "none", at)
        return KeptRobots(b"", "none", at)

    def _some(self, response: http.client.HTTPResponse) -> bytes:
        body, parts = Body(response, self._patience), []
        while body.came_bytes < ROBOTS_BYTES_MAX and (chunk := body.read()):
            parts.append(chunk)
        return b"".join(parts)[:ROBOTS_BYTES_MAX]


def _check(answer: Answer, expected: int) -> None:
    """Raise what an answer means that is not the one that was hoped for."""
    response, where = answer.response, shown(answer.url)
    status = response.status
    says = f"the host answers {status} {response.reason[:80]}".rstrip()
    if status in _BUSY:
        raise _PassingError(says, answer.host, _retry_after(response, time.time()))
    if status in _PASSING:
        raise _PassingError(says)
    if status in _REFUSED:
        raise SourceRefused(where, says, "It is not asked again; sign in there, or ask whoever runs it.")
    if status in _ABSENT:
        raise SourceMissing(where, says, "Check the address.")
    if status != expected:
        raise SourceError(where, says, "Check the address.")


def _retry_after(response: http.client.HTTPResponse, now: float) -> float | None:
    """Return how many seconds the host wants to be left alone for, None where it does not say (RFC 9110 section 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now) if text else None
    except (ValueError, TypeError, OverflowError):
        return None


def _strong(response: http.client.HTTPResponse) -> str:
    """Return what a part can be asked for by, "" for nothing: a strong ETag, else a date that is safely past (RFC 9110 13.1.5)."""
    etag = response.headers.get("ETag", "")
    if etag:
        return "" if etag.startswith("W/") else etag
    return response.headers.get("Last-Modified", "")


def _media_type(response: http.client.HTTPResponse) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _prove(wanted: Download, path: Path) -> int:
    """Return the bytes of a file. Raises: SourceError unless it is as its source stated it."""
    remedy = "It changed since it was listed, or was damaged on the way: run the same command again."
    with path.open("rb") as stream:
        found_bytes = os.fstat(stream.fileno()).st_size
        if wanted.file_bytes is not None and found_bytes != wanted.file_bytes:
            raise SourceError(shown(wanted.url), f"{wanted.file_bytes:,} bytes were stated, {found_bytes:,} came", remedy)
        if stream.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise SourceError(shown(wanted.url), "a page for people came in place of the file", "Look at the address in a browser.")
        stream.seek(0)
        hashers = [(hashlib.new(name, usedforsecurity=False), name, stated) for name, stated in wanted.digests]
        while hashers and (chunk := stream.read(1 << 18)):
            for hasher, _, _ in hashers:
                hasher.update(chunk)
    for hasher, name, stated in hashers:
        if hasher.hexdigest() != stated.lower():
            raise SourceError(shown(wanted.url), f"expected {name} {stated}, found {hasher.hexdigest()}", remedy)
    return found_bytes


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Say in words what our own disk does not do; what connections do is in words before."""
    try:
        yield
    except OSError as error:
        raise StoreError(str(path), f"cannot be kept: {error.strerror}", "Make room on the disk, or check it.") from error


def _too_long(url: str, found: str, bytes_max: int) -> SourceError:
    remedy = "Raise file_bytes_max in [sources] if that is what is wanted."
    return SourceError(shown(url), f"expected at most {bytes_max:,} bytes, found {found}", remedy)


def check_address(url: str) -> str:
    """Return an address as it is sent. Raises: SourceError for one that is no http or https address of a host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SourceError(f"{url!r:.200}", f"is no address: {error}", "Correct it.") from error
    plain = not parts.username and parts.password is None and (port is None or port > 0)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain or not parts.netloc.isascii():
        raise SourceError(f"{url!r:.200}", "is no http or https address of a host", "Correct it.")
    return parts._replace(path=quote(parts.path, _SAFE), query=quote(parts.query, _SAFE), fragment="").geturl()


def open_web(notes: Path | None, manners: Manners, logins: Path | None = None) -> PoliteWeb:
    """Return hosts that are not ours, asked with these manners. notes: what is known of them between runs; None for nothing.
    logins: the file of how we sign in, which need not be there.
    """
    return PoliteWeb(manners, MannersBook(notes), logins=Logins(logins))
