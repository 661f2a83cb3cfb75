"""Names for people are unique, whatever the titles are."""

from __future__ import annotations

from hashlib import sha256

from fonoteca.formats.plainnames import Wanted, plain_names


def test_a_title_that_ends_in_the_digest_of_another_file_takes_no_name_away() -> None:
    digest = sha256(b"c").hexdigest()
    wanted = [Wanted("a", ("X",), "T", ".ogg"), Wanted("c", ("X",), "T", ".ogg")]
    wanted += [Wanted(f"b{length}", ("X",), f"T [{digest[:length]}]", ".ogg") for length in (12, 13)]
    names = plain_names(wanted)
    assert len(set(names.values())) == len(wanted)
    assert names == plain_names(reversed(wanted))
