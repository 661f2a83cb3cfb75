"""Blobs on a real S3, SeaweedFS: the port's suite, large blobs in parts, and what only S3 does."""

# ruff: noqa: SIM118 - blobs have keys and are no mapping

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import pytest
from obstore.store import MemoryStore

from fonoteca.edges import s3_requests
from fonoteca.edges.disk import DiskStaging
from fonoteca.edges.s3 import S3Blobs, S3Keys, S3Limits, S3Place, open_s3
from fonoteca.edges.s3_calls import ObstoreCalls
from fonoteca.edges.s3_writing import PART_BYTES
from fonoteca.model.errors import BlobMissing, StoreError, UsageError
from fonoteca.ports import Blobs
from fonoteca.testing import BlobsSuite, Crash
from fonoteca.testing.lying_s3 import Lie, LyingS3, lying_s3
from fonoteca.testing.objects import Mishap, MishapObjects, TwiceObjects
from fonoteca.testing.seaweed import KEY_ID, Seaweed

QUICK = S3Limits(connect_s=1, answer_s=20, retries_max=2, retry_s=3, backoff_first_s=0.01, backoff_max_s=0.05)
_prefixes = count()


def place_on(seaweed: Seaweed, bucket: str = "music") -> S3Place:
    """Return a place where nothing is yet."""
    return S3Place(bucket, f"tests/{next(_prefixes)}", seaweed.endpoint)


def keys_of(seaweed: Seaweed) -> S3Keys:
    return S3Keys.of(seaweed.environment)


@pytest.fixture
def staging(tmp_path: Path) -> DiskStaging:
    return DiskStaging(tmp_path / "staging")


@pytest.fixture
def s3(seaweed: Seaweed) -> Iterator[S3Blobs]:
    """Return blobs where nothing is yet."""
    blobs = open_s3(place_on(seaweed), keys_of(seaweed), QUICK)
    yield blobs
    blobs.close()


class TestS3Blobs(BlobsSuite):
    @pytest.fixture
    def blobs(self, s3: S3Blobs) -> Blobs:
        return s3


# Through a proxy that misbehaves ------------------------------------------------------------------------------------------


@pytest.fixture
def liar(seaweed: Seaweed) -> Iterator[LyingS3]:
    with lying_s3(seaweed.host, seaweed.port) as proxy:
        yield proxy


@pytest.fixture
def lied_to(seaweed: Seaweed, liar: LyingS3) -> Iterator[S3Blobs]:
    """Return blobs behind the proxy, where nothing is yet."""
    blobs = open_s3(replace(place_on(seaweed), endpoint=liar.endpoint), keys_of(seaweed), QUICK)
    yield blobs
    blobs.close()


REFUSALS = {
    403: ("AccessDenied", r"refuses access \(403 AccessDenied\)\. Check AWS_ACCESS_KEY_ID"),
    503: ("SlowDown", r"answered 503 SlowDown, 3 times\. Run the same command again"),
    500: ("InternalError", r"answered 500 InternalError, 3 times"),
    400: ("AuthorizationHeaderMalformed", r"another region.*Correct `s3.region`"),
    405: ("MethodNotAllowed", r"refuses the request \(405 MethodNotAllowed\)\. Correct `archive.store`"),
    404: ("NoSuchBucket", r"there is no bucket 'music' at the S3 at http.*Make the bucket"),
}


@pytest.mark.parametrize("status", REFUSALS)
def test_what_an_s3_refuses_is_told_in_words_and_changes_nothing(
    status: int, liar: LyingS3, lied_to: S3Blobs, staging: DiskStaging
) -> None:
    lied_to.write("a", b"old")
    code, words = REFUSALS[status]
    tree = staging.folder("tree")
    with staging.writer(tree / "x") as target:
        target.write(b"1")
    deeds: dict[str, Callable[[], object]] = {
        "PUT": lambda: lied_to.write("a", b"new"),
        "GET": lambda: lied_to.read("a"),
    }
    if status != 404:
        deeds |= {"HEAD": lambda: lied_to.size("a"), "POST": lambda: lied_to.delete("a")}
    for method, deed in deeds.items():
        liar.lies = [Lie(method, status=status, code=code)]
        with pytest.raises(StoreError, match=words if method != "HEAD" else str(status)):
            deed()
    liar.lies = [Lie("PUT", status=status, code=code)]
    with pytest.raises(StoreError, match=words):
        lied_to.adopt(tree, "b")
    liar.lies = []
    assert [(key, lied_to.read(key)) for key in lied_to.keys()] == [("a", b"old")]
    assert (tree / "x").read_bytes() == b"1"
    lied_to.adopt(tree, "b")
    assert lied_to.read("b/x") == b"1"


def test_a_busy_s3_is_asked_again(liar: LyingS3, lied_to: S3Blobs) -> None:
    liar.lies = [Lie("PUT", times=2, status=503, code="SlowDown"), Lie("GET", times=1, status=500, code="InternalError")]
    lied_to.write("a", b"1")
    assert lied_to.read("a") == b"1"


@pytest.mark.parametrize("short", [False, True])
def test_half_a_body_is_an_error_and_no_end(short: bool, liar: LyingS3, lied_to: S3Blobs) -> None:
    content = Random(1).randbytes(1_000_000)
    lied_to.write("a", content)
    lied_to.write("tiny", b"0123456789")
    with lied_to.open("a") as source:
        assert source.read(1000) == content[:1000]
        liar.lies = [Lie("GET", half=True, short=short)]
        with pytest.raises(StoreError, match="Run the same command again"):
            source.read()
    with pytest.raises(StoreError, match="Run the same command again"):
        lied_to.read_range("a", 10, 500_000)
    with pytest.raises(StoreError, match="Run the same command again"):
        lied_to.open("tiny")
    if not short:  # with a length of its own only its digest gives half a blob away
        with pytest.raises(StoreError, match="Run the same command again"):
            lied_to.read("a")


def test_a_lost_answer_is_told_from_a_lost_race(seaweed: Seaweed, liar: LyingS3, lied_to: S3Blobs) -> None:
    liar.lies = [Lie("PUT", times=1, lost=True)]
    assert lied_to.create("ours", b"same")
    liar.lies = [Lie("PUT", times=1, twice=True)]
    assert lied_to.create("doubled", b"same")
    lied_to.create("theirs", b"same")
    liar.lies = [Lie("PUT", times=1, lost=True)]
    assert not lied_to.create("theirs", b"same")
    liar.lies = [Lie("PUT", times=1, status=409, code="ConditionalRequestConflict")]
    assert lied_to.create("in conflict", b"1")
    assert not lied_to.create("in conflict", b"1")


def test_an_answer_that_comes_too_late_is_a_lost_one(seaweed: Seaweed, liar: LyingS3) -> None:
    hasty = S3Limits(connect_s=1, answer_s=0.5, retries_max=0, retry_s=1)
    blobs = open_s3(replace(place_on(seaweed), endpoint=liar.endpoint), keys_of(seaweed), hasty)
    assert blobs.create("warm", b"up")
    liar.lies = [Lie("PUT", times=1, late_s=1)]
    assert blobs.create("a", b"1")
    liar.lies = [Lie("GET", times=1, late_s=1)]
    with pytest.raises(StoreError, match="did not answer in time"):
        blobs.read("a")


def test_a_large_blob_whose_last_answer_is_lost_is_there(liar: LyingS3, lied_to: S3Blobs) -> None:
    content = Random(2).randbytes(PART_BYTES + 1)
    liar.lies = [Lie("POST", "uploadId", times=1, lost=True)]
    lied_to.write("large", content)
    assert lied_to.read("large") == content
    liar.lies = [Lie("PUT", "partNumber=2", status=503, code="SlowDown")]
    with pytest.raises(StoreError, match="503"):
        lied_to.write("large", bytes(PART_BYTES + 1))
    liar.lies = []
    assert lied_to.read("large") == content
    assert lied_to.sweep() == 0


def test_what_is_no_s3_is_not_taken_for_an_empty_one(seaweed: Seaweed, liar: LyingS3, lied_to: S3Blobs) -> None:
    liar.lies = [Lie(method, status=404, body=b"<html>not here</html>") for method in ("GET", "HEAD", "PUT", "POST")]
    for ask in (lied_to.size, lied_to.read, lied_to.open):
        with pytest.raises(StoreError, match=r"refuses the request \(404\)\. Correct `archive.store` or `s3.endpoint`") as caught:
            ask("a")
        assert not isinstance(caught.value, BlobMissing)


def test_a_bucket_that_is_not_there_is_no_empty_store(seaweed: Seaweed) -> None:
    nowhere = open_s3(place_on(seaweed, "no-such-bucket"), keys_of(seaweed), QUICK)
    for ask in (nowhere.size, nowhere.read, nowhere.open, lambda key: list(nowhere.keys())):
        with pytest.raises(StoreError, match=r"there is no bucket 'no-such-bucket' at the S3 at .*Make the bucket"):
            ask("a")


def test_an_s3_that_does_not_run_is_told_in_words(seaweed: Seaweed) -> None:
    nowhere = open_s3(S3Place("music", "", "http://127.0.0.1:9"), keys_of(seaweed), QUICK)
    with pytest.raises(StoreError, match=r"cannot be reached: connection refused\. Look whether it runs"):
        nowhere.read("a")


def test_a_missing_library_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(UsageError, match=r"needs the library obstore.*pip install 'fonoteca\[many\]'"):
        open_s3(S3Place("music"), S3Keys("me", "secret"))


def test_an_s3_that_will_not_list_uploads_or_end_them_is_left_alone(seaweed: Seaweed, liar: LyingS3, lied_to: S3Blobs) -> None:
    for status, code in ((403, "AccessDenied"), (501, "NotImplemented")):
        liar.lies = [Lie("GET", "uploads=", status=status, code=code)]
        assert lied_to.sweep() == 0
    place, keys = lied_to._calls.place, keys_of(seaweed)
    assert s3_requests._send(place, keys, "POST", f"{place.prefix}/x", {"uploads": ""}).status_code == 200
    liar.lies = [Lie("DELETE", "uploadId=", status=403, code="AccessDenied")]
    assert lied_to.sweep() == 0
    assert [method for method, _ in liar.seen].count("DELETE") == 1
    liar.lies = [Lie("GET", "uploads=", status=503, code="SlowDown")]
    with pytest.raises(StoreError, match="answered 503 when asked for unfinished uploads"):
        lied_to.sweep()


def test_keys_of_somebody_else_are_refused(seaweed: Seaweed) -> None:
    for keys in (S3Keys("nobody", "secret"), S3Keys(KEY_ID, "wrong")):
        with pytest.raises(StoreError, match="refuses access"):
            open_s3(place_on(seaweed), keys, QUICK).write("a", b"1")
    for missing in ({}, {"AWS_ACCESS_KEY_ID": "x"}):
        with pytest.raises(UsageError, match="it is not set, and the store is on S3"):
            S3Keys.of(missing)
    assert "secret" not in repr(S3Keys("me", "secret"))


# What only S3 does ----------------------------------------------------------------------------------------------------------


def test_large_blobs_go_in_parts_and_come_in_ranges(s3: S3Blobs, staging: DiskStaging) -> None:
    content = Random(3).randbytes(2 * PART_BYTES + 12_345)
    tree = staging.folder("tree")
    with staging.writer(tree / "v1" / "large") as target:
        target.write(content)
    s3.adopt(tree, "o")
    assert not tree.exists()
    with s3.open("o/v1/large") as source:
        assert b"".join(iter(lambda: source.read(100_000), b"")) == content
        assert source.seek(-10, 2) == len(content) - 10
        assert source.read() == content[-10:]
        source.seek(PART_BYTES)
        assert source.read(5) == content[PART_BYTES : PART_BYTES + 5]
    s3.patch("o/v1/large", {0: b"AB", PART_BYTES: b"CD"}, len(content) - 1)
    expected = b"AB" + content[2:PART_BYTES] + b"CD" + content[PART_BYTES + 2 : -1]
    assert s3.read("o/v1/large") == expected


def test_a_blob_that_changes_while_it_is_read_is_an_error(s3: S3Blobs) -> None:
    s3.write("a", Random(4).randbytes(600_000))
    with s3.open("a") as source:
        source.read(10)
        s3.write("a", Random(5).randbytes(600_000))
        source.seek(500_000)
        with pytest.raises(StoreError, match="it was changed while it was read"):
            source.read(10)


def test_an_adoption_goes_on_where_a_kill_ended_it(s3: S3Blobs, staging: DiskStaging) -> None:
    tree = staging.folder("tree")
    for name in ("v1/content/a", "v1/inventory.json", "inventory.json"):
        with staging.writer(tree / name) as target:
            target.write(name.encode())
    s3.write("o/v1/content/a", b"v1/content/a")
    s3.adopt(tree, "o")
    assert {key: s3.read(key) for key in s3.keys("o")} == {
        f"o/{name}": name.encode() for name in ("inventory.json", "v1/content/a", "v1/inventory.json")
    }


def test_folders_go_up_content_first_and_the_root_sidecar_last(liar: LyingS3, lied_to: S3Blobs, staging: DiskStaging) -> None:
    names = ["0=ocfl", "inventory.json", "inventory.json.sha256", "v1/content/a", "v1/inventory.json", "v1/inventory.json.sha256"]
    for folder in ("p", "q"):
        for name in names:
            with staging.writer(staging.kept_folder(folder) / name) as target:
                target.write(folder.encode())
    liar.seen.clear()
    lied_to.adopt_all([(staging.kept_folder("p"), "p"), (staging.kept_folder("q"), "q")])
    puts = [path.split("/", 4)[4] for method, path in liar.seen if method == "PUT"]
    assert len(puts) == 12
    assert {path.split("/", 1)[1] for path in puts[:4]} == {"0%3Docfl", "v1/content/a"}
    ranks = [names.index(path.split("/", 1)[1]) for path in puts[4:]]
    assert ranks == [4, 4, 5, 5, 1, 1, 2, 2]
    assert [method for method, _ in liar.seen if method != "PUT"] == []


def test_unfinished_uploads_of_a_killed_process_are_given_up(seaweed: Seaweed, s3: S3Blobs) -> None:
    place, keys = s3._calls.place, keys_of(seaweed)
    start = "/".join(part for part in (place.prefix, "deep/x") if part)
    s3.write("deep/y", b"1")
    for _ in range(2):
        assert s3_requests._send(place, keys, "POST", start, {"uploads": ""}).status_code == 200
    assert s3.sweep("dee") == 0
    assert s3.sweep("deep") == 2
    assert s3.sweep() == 0
    assert list(s3.keys()) == ["deep/y"]


@pytest.mark.parametrize("key", ["a\\b", "a\nb", "a\x7f", "caf\u0000"])
def test_keys_that_some_s3_would_take_for_others_are_refused(key: str, s3: S3Blobs) -> None:
    with pytest.raises(StoreError, match="not a key"):
        s3.write(key, b"")


# One request gone wrong, everywhere ----------------------------------------------------------------------------------------


def _in_memory() -> ObstoreCalls:
    """Return an object store in this process, through the same library."""
    return ObstoreCalls(MemoryStore(), S3Place("memory"))


class TestS3BlobsInMemory(BlobsSuite):
    @pytest.fixture
    def blobs(self) -> Blobs:
        return S3Blobs(_in_memory(), at_once=1)


class TestS3BlobsAnsweredTwice(BlobsSuite):
    @pytest.fixture
    def blobs(self) -> Blobs:
        return S3Blobs(TwiceObjects(_in_memory()), at_once=1)


Deed = Callable[[S3Blobs, DiskStaging], object]
DEEDS: dict[str, Deed] = {
    "write": lambda blobs, _: blobs.write("a/b", b"after"),
    "create": lambda blobs, _: blobs.create("a/c", b"after"),
    "create all": lambda blobs, _: blobs.create_all({"a/c": b"1", "a/b": b"2", "d": b"3"}),
    "patch": lambda blobs, _: blobs.patch("a/b", {1: b"XX"}, 6),
    "adopt": lambda blobs, staging: blobs.adopt(_object(staging), "o"),
    "delete": lambda blobs, _: blobs.delete("a"),
}


def _object(staging: DiskStaging) -> Path:
    """Return a folder like an object's, as an earlier run left it or new."""
    tree = staging.kept_folder("tree")
    for name in ("inventory.json", "inventory.json.sha256", "v1/content/a", "v1/content/b", "v1/inventory.json"):
        if not (tree / name).exists():
            with staging.writer(tree / name) as target:
                target.write(name.encode())
    return tree


def _all(calls: ObstoreCalls) -> dict[str, bytes]:
    blobs = S3Blobs(calls, at_once=1)
    return {key: blobs.read(key) for key in blobs.keys()}


def _prepared() -> ObstoreCalls:
    calls = _in_memory()
    S3Blobs(calls, at_once=1).write("a/b", b"before")
    return calls


@pytest.mark.parametrize("mishap", Mishap)
@pytest.mark.parametrize("name", DEEDS)
def test_a_request_gone_wrong_leaves_the_old_or_the_new_and_is_done_again(name: str, mishap: Mishap, tmp_path: Path) -> None:
    deed, before = DEEDS[name], _all(_prepared())
    whole, counting = _prepared(), MishapObjects(_prepared())
    deed(S3Blobs(whole, at_once=1), DiskStaging(tmp_path / "whole"))
    deed(S3Blobs(counting, at_once=1), DiskStaging(tmp_path / "counting"))
    after = _all(whole)
    assert counting.count > 0
    for n in range(counting.count):
        inner, staging = _prepared(), DiskStaging(tmp_path / str(n))
        failed = False
        try:
            deed(S3Blobs(MishapObjects(inner, n, mishap), at_once=1), staging)
        except (StoreError, Crash):
            failed = True
        now = _all(inner)
        if not failed:
            assert now == after, n
            continue
        # A killed adoption or deletion may leave some of the blobs, each of them whole; nothing else is ever half done.
        assert now in (before, after) or name in ("adopt", "create all", "delete"), n
        assert all(now[key] in (before.get(key), after.get(key)) for key in now), n
        if mishap is Mishap.REFUSED and name == "adopt":
            assert now == before, n
        again = S3Blobs(inner, at_once=1)
        if name == "patch" and now == after:
            continue
        if name != "adopt" or list(staging.left()):
            deed(again, staging)
        assert _all(inner) == after, n
