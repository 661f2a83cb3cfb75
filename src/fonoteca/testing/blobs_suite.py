"""The suite that every `Blobs` passes: memory, folder, S3, and whoever writes another.

Use: a pytest class that inherits `BlobsSuite` and has a fixture `blobs` (empty, new for each test) and `staging` (on
the same disk). The names of the tests are the laws.
"""

# ruff: noqa: D102, SIM118

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from fonoteca.model.errors import BlobMissing, StoreError, TakenError
from fonoteca.model.fixity import GONE
from fonoteca.ports import Blobs, Staging

HOSTILE_KEYS = ("", "/", "/etc/passwd", "..", "a/..", "a/../b", "../a", "a//b", "a/", "./a", "a\0b", "a/\0")


def _refused(call: Callable[..., object], *arguments: object, kind: type[StoreError] = StoreError) -> None:
    """Check that a call gives an error of this kind."""
    try:
        call(*arguments)
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__} of {arguments!r}")


class BlobsSuite:
    """The laws of the port, one a test."""

    def test_what_is_written_is_read(self, blobs: Blobs) -> None:
        blobs.write("a/b", b"one")
        assert blobs.read("a/b") == b"one"
        assert blobs.size("a/b") == 3
        with blobs.open("a/b") as source:
            assert source.seek(1) == 1
            assert source.read() == b"ne"

    def test_a_write_replaces(self, blobs: Blobs) -> None:
        blobs.write("a", b"one")
        blobs.write("a", b"")
        assert (blobs.read("a"), blobs.size("a")) == (b"", 0)

    def test_a_range_is_short_at_the_end_and_empty_after_it(self, blobs: Blobs) -> None:
        blobs.write("a", b"0123456789")
        assert blobs.read_range("a", 2, 3) == b"234"
        assert blobs.read_range("a", 8, 5) == b"89"
        assert blobs.read_range("a", 20, 5) == b""
        _refused(blobs.read_range, "a", -1, 2)

    def test_a_missing_blob_is_said_to_be_missing(self, blobs: Blobs) -> None:
        blobs.write("a/b", b"one")
        for key in ("x", "a", "a/b/c", "a/x"):
            assert blobs.size(key) is None
            _refused(blobs.read, key, kind=BlobMissing)
            _refused(blobs.open, key, kind=BlobMissing)

    def test_a_stamp_stays_until_the_blob_is_written(self, blobs: Blobs) -> None:
        assert blobs.stamp("a/b") is None
        blobs.write("a/b", b"one")
        before = blobs.stamp("a/b")
        assert before is not None
        assert (before[0], blobs.stamp("a/b"), blobs.stamp("a")) == (3, before, None)
        blobs.write("a/b", b"three")
        after = blobs.stamp("a/b")
        assert after is not None
        assert after[0] == 5

    def test_sightings_are_stamps_and_digests_of_what_is_there(self, blobs: Blobs) -> None:
        contents = {"a/b": b"one", "a/c": b"", "d": bytes(700_000)}
        for key, content in contents.items():
            blobs.write(key, content)
        keys = [*contents, "a", "x/y", "a/b/c"]
        found = blobs.sight_all(keys)
        assert [each.sha256 for each in found] == [*(sha256(c).hexdigest() for c in contents.values()), "", "", ""]
        assert [each.stamp for each in found] == [blobs.stamp(key) for key in keys] == blobs.stamp_all(keys)
        assert [each.trouble for each in found] == ["", "", "", GONE, GONE, GONE]
        assert (blobs.sight_all([]), blobs.stamp_all([])) == ([], [])

    def test_create_makes_once(self, blobs: Blobs) -> None:
        assert blobs.create("a/b", b"first")
        assert not blobs.create("a/b", b"second")
        assert blobs.read("a/b") == b"first"

    def test_a_patch_replaces_parts_and_keeps_the_rest(self, blobs: Blobs) -> None:
        blobs.write("a", b"0123456789")
        blobs.patch("a", {2: b"xx", 9: b"y"}, 10)
        assert blobs.read("a") == b"01xx45678y"

    def test_a_patch_lengthens_shortens_and_makes(self, blobs: Blobs) -> None:
        blobs.write("a", b"0123")
        blobs.patch("a", {4: b"45"}, 6)
        assert blobs.read("a") == b"012345"
        blobs.patch("a", {}, 3)
        assert blobs.read("a") == b"012"
        blobs.patch("new/b", {0: b"ab", 2: b"c"}, 3)
        assert blobs.read("new/b") == b"abc"
        blobs.patch("empty", {}, 0)
        assert blobs.read("empty") == b""

    def test_a_patch_that_leaves_a_hole_changes_nothing(self, blobs: Blobs) -> None:
        blobs.write("a", b"0123")
        for parts, length in (({6: b"x"}, 7), ({0: b"abc", 2: b"d"}, 4), ({3: b"long"}, 4)):
            _refused(blobs.patch, "a", parts, length)
        assert blobs.read("a") == b"0123"

    def test_adopted_folders_arrive_whole(self, blobs: Blobs, staging: Staging) -> None:
        tree = _tree(staging, {"x/y": b"1", "z": b"2"})
        blobs.adopt(tree, "p/q")
        assert list(blobs.keys("p")) == ["p/q/x/y", "p/q/z"]
        assert blobs.read("p/q/x/y") == b"1"

    def test_adoption_never_replaces(self, blobs: Blobs, staging: Staging) -> None:
        blobs.write("p/a", b"old")
        tree = _tree(staging, {"a": b"new", "b": b"new"})
        _refused(blobs.adopt, tree, "p", kind=TakenError)
        _refused(blobs.adopt, staging.folder("a") / "none", "q")
        assert [(key, blobs.read(key)) for key in blobs.keys()] == [("p/a", b"old")]

    def test_adoption_takes_files_and_folders_only(self, blobs: Blobs, staging: Staging) -> None:
        tree = _tree(staging, {"a": b"1"})
        (tree / "link").symlink_to("/etc/hostname")
        _refused(blobs.adopt, tree, "p")
        assert list(blobs.keys()) == []

    def test_folders_adopted_together_all_arrive_whole(self, blobs: Blobs, staging: Staging) -> None:
        trees = [(_tree(staging, {"x/y": name.encode(), "z": b"2"}, name), f"p/{name}") for name in ("a", "b", "c")]
        blobs.adopt_all(trees)
        assert list(blobs.keys()) == [f"p/{name}/{end}" for name in ("a", "b", "c") for end in ("x/y", "z")]
        assert blobs.read("p/b/x/y") == b"b"
        blobs.adopt_all([])

    def test_of_folders_adopted_together_none_arrives_when_one_cannot(self, blobs: Blobs, staging: Staging) -> None:
        blobs.write("p/b/x", b"old")
        trees = [(_tree(staging, {"x": b"new"}, name), f"p/{name}") for name in ("a", "b")]
        _refused(blobs.adopt_all, trees, kind=TakenError)
        _refused(blobs.adopt_all, [trees[0], (staging.folder("d") / "none", "p/d")])
        (trees[1][0] / "link").symlink_to("/etc/hostname")
        _refused(blobs.adopt_all, [trees[0], (trees[1][0], "p/c")])
        assert [(key, blobs.read(key)) for key in blobs.keys()] == [("p/b/x", b"old")]

    def test_blobs_created_together_leave_those_that_are_there(self, blobs: Blobs) -> None:
        blobs.write("a/b", b"old")
        blobs.create_all({"a/b": b"new", "a/c": b"1", "d": b""})
        blobs.create_all({"a/b": b"new", "e": b"2"})
        blobs.create_all({})
        assert [(key, blobs.read(key)) for key in blobs.keys()] == [("a/b", b"old"), ("a/c", b"1"), ("d", b""), ("e", b"2")]

    def test_delete_takes_blobs_and_trees(self, blobs: Blobs) -> None:
        for key in ("a/b/c", "a/b/d", "a/bc", "e"):
            blobs.write(key, b"")
        blobs.delete("a/b")
        blobs.delete("e")
        blobs.delete("never/there")
        assert list(blobs.keys()) == ["a/bc"]

    def test_an_emptied_folder_is_not_there(self, blobs: Blobs, staging: Staging) -> None:
        blobs.write("a/b/c", b"")
        blobs.delete("a/b/c")
        assert list(blobs.children()) == []
        blobs.adopt(_tree(staging, {"c": b"1"}), "a/b")
        assert list(blobs.keys()) == ["a/b/c"]

    def test_keys_and_children_are_in_order(self, blobs: Blobs) -> None:
        for key in ("b", "a/c", "a-b", "a/b/c", "a.b", "a/b-c"):
            blobs.write(key, b"")
        assert list(blobs.keys()) == ["a-b", "a.b", "a/b-c", "a/b/c", "a/c", "b"]
        assert list(blobs.keys("a")) == ["a/b-c", "a/b/c", "a/c"]
        assert list(blobs.keys("a/b")) == ["a/b/c"]
        assert list(blobs.children()) == ["a", "a-b", "a.b", "b"]
        assert list(blobs.children("a")) == ["b", "b-c", "c"]
        assert list(blobs.children("none")) == []

    def test_entries_are_what_is_at_a_depth(self, blobs: Blobs) -> None:
        for key in ("a/x/1", "a/x/2", "a/x-y/1", "a/z", "a-b/c/d/e", "b"):
            blobs.write(key, b"")
        assert list(blobs.entries("", 1)) == ["a", "a-b", "b"]
        assert [path for path in blobs.entries("", 2) if path < "a/"] == ["a-b/c"]
        assert [path for path in blobs.entries("", 2) if path > "a/"] == ["a/x", "a/x-y", "a/z"]
        assert sorted(blobs.entries("", 3)) == ["a-b/c/d", "a/x-y/1", "a/x/1", "a/x/2"]
        assert list(blobs.entries("a", 1)) == ["a/x", "a/x-y", "a/z"]
        assert list(blobs.entries("none", 2)) == []

    def test_hostile_keys_are_refused(self, blobs: Blobs) -> None:
        for key in HOSTILE_KEYS:
            _refused(blobs.read, key)
            _refused(blobs.size, key)
            _refused(blobs.stamp, key)
            _refused(blobs.write, key, b"")
            _refused(blobs.create, key, b"")
            _refused(blobs.delete, key)
        assert list(blobs.keys()) == []

    def test_a_quiet_store_has_nothing_to_sweep(self, blobs: Blobs) -> None:
        blobs.write("a/b", b"1")
        assert blobs.sweep() == 0
        assert blobs.sweep("a") == 0
        assert blobs.read("a/b") == b"1"

    def test_a_local_path_holds_the_blob(self, blobs: Blobs) -> None:
        blobs.write("a/b", b"1")
        path = blobs.local_path("a/b")
        assert path is None or path.read_bytes() == b"1"
        assert blobs.local_path("a/c") is None


def _tree(staging: Staging, files: dict[str, bytes], name: str = "tree") -> Path:
    """Return a new folder with these files."""
    tree = staging.folder(name)
    for name, content in files.items():
        with staging.writer(tree / name) as target:
            target.write(content)
    return tree
