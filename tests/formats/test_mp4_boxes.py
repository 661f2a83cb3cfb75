"""Boxes that are written are walked, wherever they stand; payload is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats.mp4 import Box, audio_entry, box, movie, walk
from fonoteca.formats.window import window_on

Tree = tuple[bytes, "list[Tree] | bytes"]

PLAIN = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"sinf", b"schi")
LEAVES = (b"mdat", b"free", b"hdlr", b"rinf", b"pinf", b"tenc", b"\xa9nam")

trees = st.recursive(
    st.tuples(st.sampled_from(LEAVES), st.binary(max_size=40)),
    lambda inner: st.tuples(st.sampled_from(PLAIN), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def written(tree: Tree) -> bytes:
    kind, content = tree
    return box(kind, content if isinstance(content, bytes) else b"".join(written(part) for part in content))


def listed(tree: Tree, path: tuple[bytes, ...] = ()) -> list[tuple[tuple[bytes, ...], bytes]]:
    kind, content = tree
    inside = [] if isinstance(content, bytes) else content
    return [(path, kind), *(found for part in inside for found in listed(part, (*path, kind)))]


@given(st.lists(trees, max_size=3))
def test_what_is_written_is_walked_in_order(forest: list[Tree]) -> None:
    content = b"".join(written(tree) for tree in forest)
    assert [(b.path, b.kind) for b in walk(window_on(content))] == [found for tree in forest for found in listed(tree)]


def test_long_and_open_sizes_are_understood() -> None:
    inner = box(b"trak")
    long = b"\0\0\0\1moov" + (16 + len(inner)).to_bytes(8, "big") + inner
    last = b"\0\0\0\0moof" + box(b"traf")
    kinds = [b.kind for b in walk(window_on(long + last))]
    assert kinds == [b"moov", b"trak", b"moof", b"traf"]


def test_a_box_knows_where_its_content_is() -> None:
    content = box(b"free", b"abc") + box(b"mdat", b"defg")
    assert list(walk(window_on(content))) == [Box((), b"free", 8, 11), Box((), b"mdat", 19, 23)]


def test_boxes_in_a_sample_entry_are_found_in_mp4_and_in_quicktime() -> None:
    for fixed in (0, 16, 36):
        content = movie(audio_entry(b"mp4a", bytes(fixed), box(b"esds", bytes(30)), box(b"sinf")))
        kinds = [b.kind for b in walk(window_on(content)) if b.path[-1:] == (b"mp4a",)]
        assert kinds == [b"esds", b"sinf"], fixed


def test_a_terminator_of_zeros_may_end_a_container() -> None:
    content = movie(audio_entry(b"mp4a", box(b"wave", box(b"frma", b"mp4a"), bytes(4)), bytes(4)))
    assert [b.kind for b in walk(window_on(content))][-2:] == [b"wave", b"frma"]
