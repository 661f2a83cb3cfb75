"""`fonoteca rights term`: said, shown, refused in words, and taken away."""

from __future__ import annotations

from pathlib import Path

from cli_world import Fonoteca

GOOD = "urn:fonoteca:audio:folder:good"


def test_a_term_is_set_shown_and_taken_away(archive: Path, fonoteca: Fonoteca) -> None:
    where = ("--archive", archive)
    said = fonoteca("rights", "term", "folder:good", "--from", "2027-05-01", "--territory", "at", "--reason", "her letter", *where)
    assert (said.status, "it may be shared from 1 May 2027, in AT only" in said.out) == (0, True)
    term = {"starts": "2027-05-01T00:00:00Z", "ends": None, "territories": ["AT"]}
    assert fonoteca("rights", "show", GOOD, "--json", *where).answer["term"] == term
    assert "from 1 May 2027, in AT only" in fonoteca("rights", "show", GOOD, *where).out
    for words, problem in (
        (["--from", "2027-05-01T12:00"], "no time zone"),
        (["--until", "9999-12-31"], "years 1 to 9999"),
        (["--from", "2027-05-02", "--until", "2027-05-01"], "not after it starts"),
        (["--territory", "UK"], "'UK' is no territory"),
        (["--always", "--territory", "DE"], "and none of them"),
        ([], "--always"),
    ):
        wrong = fonoteca("rights", "term", GOOD, "--reason", "x", *words, *where)
        assert (wrong.status, problem in wrong.err) == (2, True), wrong.err
    assert fonoteca("rights", "show", GOOD, "--json", *where).answer["term"] == term
    lifted = fonoteca("rights", "term", GOOD, "--always", "--reason", "agreed", "--json", *where).answer
    assert lifted == {"objects": [GOOD], "term": None}
    assert fonoteca("rights", "show", GOOD, "--json", *where).answer["term"] is None
