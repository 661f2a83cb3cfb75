"""Mirrors of mirrors: three hops from the origin, by folder and by http, everything is as the origin signed it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from flows_mirror import PATIENCE, Given, seeded
from flows_world import (
    NOW,
    SETTINGS,
    Quiet,
    StoppedClock,
    audio,
    check,
    make_archive,
    opened,
    put_item,
    put_out,
    serving,
    take,
    track,
)

from fonoteca.cli.follow import ensure_mirror
from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.flows.follow import Followed, follow
from fonoteca.flows.withdraw import Order, purge, withdraw
from fonoteca.model.errors import TrustError
from fonoteca.model.settings import Settings
from fonoteca.model.withdrawal import Reason, WithdrawalState
from fonoteca.stewardship import withdraw_rooms
from fonoteca.wiring import Mirroring, follow_rooms, mirrors_at

pytestmark = pytest.mark.xdist_group("swarm")

DARK = Order(WithdrawalState.DARK, Reason.RIGHTS_HOLDER, "notice under article 16")
HOPS = ("origin", "first", "second", "third")


@dataclass
class Chain:
    """An origin and three mirrors, each of the one before it."""

    folder: Path
    by_http: bool

    @contextmanager
    def at(self, name: str) -> Iterator[tuple[str, Given]]:
        """Give where an archive of the chain is followed, and a swarm that has its bytes."""
        if not self.by_http:
            with seeded(self.folder / name) as given:
                yield str(self.folder / name), given
            return
        with opened(self.folder / name) as archive, serving(archive) as site:
            place = f"{site}/editions/"
            with LibtorrentSwarm(PATIENCE) as swarm, mirrors_at([place]) as whereabouts:
                yield place, Given(swarm, whereabouts)

    def hop(self, source: str, target: str, days: int = 0, *, as_of: bool = False) -> Followed:
        """Return what a mirror took from the one before it, so many days on."""
        with self.at(source) as (place, given):
            ensure_mirror(self.folder / target, place)
            with opened(self.folder / target, clock=StoppedClock(NOW + timedelta(days=days))) as archive:
                mirroring = Mirroring(place, given.swarm, given.whereabouts, as_of=as_of)
                return follow(follow_rooms(archive, mirroring, Quiet()))

    def pass_on(self, days: int = 0) -> list[Followed]:
        """Let news travel through the whole chain."""
        return [self.hop(source, target, days) for source, target in pairwise(HOPS)]

    def music(self, name: str) -> dict[str, bytes]:
        """Return the bytes of the files of music of an archive, by path in the store."""
        store = self.folder / name / "store"
        return {p.relative_to(store).as_posix(): p.read_bytes() for p in store.rglob("*.flac")}


@pytest.fixture(params=[False, True], ids=["by folder", "by http"])
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Chain:
    """Return an origin that has published three items, and nobody who follows it yet."""
    for number, name in enumerate(("one", "two", "three"), 1):
        put_item(tmp_path / "music", name, {f"{number} a.flac": track(number, 2, noise=True)})
    made = make_archive(tmp_path / "origin", Settings(SETTINGS.name, SETTINGS.title, SETTINGS.piece_bytes))
    with opened(made) as archive:
        take(archive, tmp_path / "music")
        put_out(archive)
    return Chain(tmp_path, request.param)


def test_a_mirror_of_a_mirror_of_a_mirror_is_whole_and_trusts_the_origin(chain: Chain, validate: Callable[[Path], None]) -> None:
    root = sha256((chain.folder / "origin/editions/metadata/1.root.json").read_bytes()).hexdigest()
    assert {told.root_sha256 for told in chain.pass_on()} == {root}
    for name in HOPS[1:]:
        assert chain.music(name) == chain.music("origin") != {}
        for path in ("metadata/timestamp.json", "metadata/1.targets.json", "index.json", "feed.xml"):
            same = [(chain.folder / each / "editions" / path).read_bytes() for each in ("origin", name)]
            assert same[0] == same[1], f"{name} serves the origin's own {path}"
    validate(chain.folder / "third" / "store")
    with opened(chain.folder / "third") as archive:
        assert check(archive).sound
        assert [hit.title for hit in archive.search.search("Track 2")]
    _withdrawals_travel(chain)
    if not chain.by_http:  # how bytes travel makes no difference to what is expired
        _a_dead_chain_is_followed_as_of_its_last_day(chain, root)


def _withdrawals_travel(chain: Chain) -> None:
    """Check that what the origin withdraws is masked at the end of the chain, and that a purge's successor arrives there."""
    with opened(chain.folder / "origin", clock=StoppedClock(NOW + timedelta(days=1))) as archive:
        withdraw(withdraw_rooms(archive), audio("one"), DARK)
        withdraw(withdraw_rooms(archive), audio("two"), DARK)
        purge(withdraw_rooms(archive), audio("two"))
        put_out(archive)
    assert [told.withdrawn for told in chain.pass_on(1)] == [2, 2, 2]
    with opened(chain.folder / "third") as archive:
        assert set(archive.register.withdrawals.masked()) == {audio("one"), audio("two")}
        assert archive.editions.withdrawals() == (chain.folder / "origin/editions/withdrawals.json").read_bytes()
    shutil.rmtree(chain.folder / "third")
    chain.hop("second", "third", 1)
    with opened(chain.folder / "third") as archive:
        assert {row.object_id for row in archive.register.objects("audio")} == {audio("three")}


def _a_dead_chain_is_followed_as_of_its_last_day(chain: Chain, root: str) -> None:
    """Check that the newest edition travels on when it is expired and the origin is gone, and nothing older does."""
    put_item(chain.folder / "music", "four", {"4 a.flac": track(4)})
    with opened(chain.folder / "origin", clock=StoppedClock(NOW + timedelta(days=2))) as archive:
        take(archive, chain.folder / "music")
        last = put_out(archive).number
    chain.hop("origin", "first", 2)
    shutil.rmtree(chain.folder / "origin")
    for source, target in (("first", "second"), ("second", "third")):
        with pytest.raises(TrustError, match="expired"):
            chain.hop(source, target, 60)
        told = chain.hop(source, target, 60, as_of=True)
        assert (told.number, told.expired, told.root_sha256) == (last, True, root)
        assert told.signed_at == NOW + timedelta(days=2)
    assert len(chain.music("third")) == 2, "the third and the fourth"
    newcomer = chain.hop("third", "newcomer", 60, as_of=True)
    assert (newcomer.number, newcomer.root_sha256) == (last, root)
    with opened(chain.folder / "newcomer") as archive:
        assert {row.object_id for row in archive.register.objects("audio")} == {audio("three"), audio("four")}
        assert set(archive.register.withdrawals.masked()) == {audio("one"), audio("two")}
