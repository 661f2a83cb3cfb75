"""The suite that every kind of source which asks other hosts is held to, over a host on loopback that answers as its source does.

Whoever adds a kind subclasses `RemoteSuite` and says how its source looks: what of it is an item of two songs under CC BY, and
where its rights and its songs are. The suite does to that host what hosts do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from fonoteca.edges.web import open_web
from fonoteca.flows.fetching import Fetching, FetchRooms, Spoilt
from fonoteca.model.audio import Tags
from fonoteca.model.corridor import Candidate
from fonoteca.model.errors import SourceError
from fonoteca.model.manners import Manners
from fonoteca.model.rights import Admission, Hold, Policy
from fonoteca.ports import Staging, Web
from fonoteca.rights import decide
from fonoteca.sources import Held, Remote, Restating, SourceContext
from fonoteca.testing import source_hosts
from fonoteca.testing.source_hosts import Given, SourceHost, source_host

MANNERS = Manners("archive@example.org", 1000.0, 4, file_bytes_max=1_000_000, retry_wait_s_max=2, own_networks=True)
SONGS = tuple(b"fLaC" + bytes([number]) * 70_000 for number in (1, 2))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class _Standing:
    def now(self) -> datetime:
        return NOW


class Scene:
    """A host, and what asks it. staging: where files are fetched to."""

    def __init__(self, host: SourceHost, web: Web, staging: Staging) -> None:
        self.host = host
        self.web = web
        self.staging = staging

    def context(self) -> SourceContext:
        """Return the world of one run."""
        return SourceContext(_Standing(), self.staging, _no_tags, _no_package, self.web)

    def fetched(self, candidates: list[Candidate]) -> list[Candidate | Spoilt]:
        """Return what becomes of candidates that rights admit when they are fetched."""
        admitted = [(each, verdict) for each in candidates if isinstance(verdict := decide(each, Policy(), NOW), Admission)]
        with Fetching(FetchRooms(self.web, self.staging, Policy(), _Standing())) as fetching:
            return [each if isinstance(each, Spoilt) else each[0] for each in fetching.fetched(admitted)]


def _no_tags(path: Path) -> Tags:
    raise AssertionError(path)


def _no_package(name: str, folder: Path) -> Path:
    raise AssertionError(name, folder)


@contextmanager
def scene(staging: Staging, notes: Path) -> Iterator[Scene]:
    """Give a host and what asks it until the context ends."""
    with source_host() as host:
        web = open_web(notes, MANNERS)
        try:
            yield Scene(host, web, staging)
        finally:
            web.close()


class RemoteSuite(ABC):
    """Laws of every kind that asks other hosts. Each test takes a `scene`."""

    source: Remote
    rights_are_stated = True
    """Whether the source states rights, so that they can change."""

    @abstractmethod
    def put(self, host: SourceHost, songs: tuple[bytes, ...]) -> str:
        """Put an item of songs under CC BY on a host. Returns: the reference to it."""

    @abstractmethod
    def take_rights_away(self, host: SourceHost) -> str:
        """Let the item say nothing of its rights any more. Returns: the reference to it then."""

    def song_paths(self, host: SourceHost, candidate: Candidate) -> list[str]:
        """Return where at the host the songs of a candidate are."""
        return [file.elsewhere.url.removeprefix(host.address) for file in candidate.files if file.elsewhere]

    def _one(self, scene: Scene) -> Candidate:
        (candidate,) = self.source.candidates(self.put(scene.host, SONGS), scene.context())
        return candidate

    def test_an_item_is_listed_without_asking_for_a_song_and_fetched_whole(self, scene: Scene) -> None:
        """The bytes that come are those that are there."""
        candidate = self._one(scene)
        paths = self.song_paths(scene.host, candidate)
        assert len(paths) == len(SONGS)
        assert not any(each.path in paths for each in scene.host.asked())
        (found,) = scene.fetched([candidate])
        assert isinstance(found, Candidate)
        assert sorted(file.open().read() for file in found.files) == sorted(SONGS)
        assert all(each.agent.startswith("Fonoteca/") and "archive@example.org" in each.agent for each in scene.host.requests)

    def test_it_begins_with_the_address_that_it_says(self, scene: Scene) -> None:
        """`--dry-run` says the truth."""
        ref = self.put(scene.host, SONGS)
        list(self.source.candidates(ref, scene.context()))
        assert (
            scene.host.asked()[0].path.partition("?")[0]
            == self.source.begins(ref).removeprefix(scene.host.address).partition("?")[0]
        )

    def test_what_is_held_is_asked_again_by_what_its_record_keeps(self, scene: Scene) -> None:
        """A kind that can be asked again says the same, says what is said by then, and says where it would ask."""
        if not isinstance(self.source, Restating):
            return
        candidate = self._one(scene)
        names = tuple(file.logical_path for file in candidate.files)
        held = Held(candidate.item, candidate.kind, candidate.evidence[0].source_uri, names)
        said = self.source.said_again(held, scene.context())
        assert {(e.scheme, e.statement) for e in said} == {(e.scheme, e.statement) for e in candidate.evidence}
        assert self.source.asked_again(held).startswith(scene.host.address)
        self.take_rights_away(scene.host)
        with suppress(SourceError):
            assert not self.source.said_again(held, scene.context())
        before = len(scene.host.requests)
        for path in list(scene.host.given):
            scene.host.misdeeds[path] = source_hosts.status(404)
        with suppress(SourceError):
            assert not self.source.said_again(held, scene.context())
        assert len(scene.host.requests) > before
        assert not self.source.asked_again(Held(candidate.item, candidate.kind, "", names))

    def test_keys_stay_the_same(self, scene: Scene) -> None:
        """An item that is listed twice is one object."""
        assert self._one(scene).item == self._one(scene).item
        assert self._one(scene).item.startswith(f"{self.source.kind}:")

    def test_what_says_nothing_of_rights_is_held_for_a_person(self, scene: Scene) -> None:
        """And no song of it is asked for."""
        self.put(scene.host, SONGS)
        found = list(self.source.candidates(self.take_rights_away(scene.host), scene.context()))
        assert found
        assert all(isinstance(decide(each, Policy(), NOW), Hold) for each in found)
        assert scene.fetched(found) == []

    def test_rights_that_change_on_the_way_are_caught(self, scene: Scene) -> None:
        """What was admitted when it was listed is not kept under other terms."""
        if not self.rights_are_stated:
            return
        candidate = self._one(scene)
        self.take_rights_away(scene.host)
        (found,) = scene.fetched([candidate])
        assert isinstance(found, Spoilt)
        assert isinstance(found.reason, Hold)

    def _spoilt(self, scene: Scene, misdeed: source_hosts.Misdeed) -> SourceError:
        candidate = self._one(scene)
        path = self.song_paths(scene.host, candidate)[0]
        scene.host.misdeeds[path] = misdeed
        (found,) = scene.fetched([candidate])
        assert isinstance(found, Spoilt)
        assert isinstance(found.reason, SourceError)
        return found.reason

    def test_what_is_no_song_is_not_taken(self, scene: Scene) -> None:
        """A page, a bomb, ten gigabytes, a body without end, a circle, a refusal."""
        circle = source_hosts.redirect(self.song_paths(scene.host, self._one(scene))[0])
        for misdeed in (
            source_hosts.page,
            source_hosts.zipped,
            source_hosts.huge,
            source_hosts.endless,
            circle,
            source_hosts.status(403),
            source_hosts.status(404),
        ):
            assert str(self._spoilt(scene, misdeed))

    def test_half_bodies_and_passing_failures_are_gone_on_with(self, scene: Scene) -> None:
        """No byte of what came is asked for again."""
        candidate = self._one(scene)
        paths = self.song_paths(scene.host, candidate)
        scene.host.misdeeds[paths[0]] = source_hosts.half()
        scene.host.misdeeds[paths[1]] = source_hosts.status(503, 1, **{"Retry-After": "1"})
        (found,) = scene.fetched([candidate])
        assert isinstance(found, Candidate)
        assert sum(each.sent_bytes for each in scene.host.asked() if each.path in paths) == sum(map(len, SONGS))

    def test_what_forbids_is_heeded(self, scene: Scene) -> None:
        """robots.txt, before anything else is asked for."""
        ref = self.put(scene.host, SONGS)
        scene.host.put("/robots.txt", "User-agent: *\nDisallow: /\n", "text/plain")
        try:
            list(self.source.candidates(ref, scene.context()))
        except SourceError:
            assert not scene.host.asked()
            return
        raise AssertionError("it asked all the same")

    def test_nonsense_is_said_to_be_nonsense(self, scene: Scene) -> None:
        """Whatever the host answers to the first question, the error is one that a person can act on."""
        ref = self.put(scene.host, SONGS)
        first = unquote(self.source.begins(ref).removeprefix(scene.host.address))
        for body in (
            b"",
            b"nonsense",
            b"[]",
            b'{"a": 1}',
            b"<a/>",
            b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
            bytes(range(256)),
            b"[" * 90_000,
        ):
            scene.host.given[first] = scene.host.given[first.partition("?")[0]] = Given(body)
            found: list[Candidate] = []
            with suppress(SourceError):
                found = list(self.source.candidates(ref, scene.context()))
            assert found == []
