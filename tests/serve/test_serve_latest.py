"""What is made once a snapshot: nobody waits for the next one who can be given the last."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from fonoteca.serve.latest import Latest

WAIT_S = 30


def test_visitors_are_given_what_was_made_last_while_one_makes_the_next() -> None:
    atlas: Any = SimpleNamespace(snapshot=lambda: SimpleNamespace(name=name))
    name, made, begun, go = "one", iter(("first", "second", "third")), Event(), Event()

    def make() -> str:
        begun.set()
        assert go.wait(WAIT_S)
        return next(made)

    latest = Latest(atlas, make)
    with ThreadPoolExecutor(8) as visitors:
        first = [visitors.submit(latest) for _ in range(4)]
        assert begun.wait(WAIT_S)
        go.set()
        assert {each.result(WAIT_S) for each in first} == {"first"}

        name = "two"
        begun.clear()
        go.clear()
        maker = visitors.submit(latest)
        assert begun.wait(WAIT_S)
        assert [visitors.submit(latest).result(WAIT_S) for _ in range(3)] == ["first"] * 3
        go.set()
        assert maker.result(WAIT_S) == "second"
        assert latest() == "second"


def test_what_could_not_be_made_is_tried_again() -> None:
    atlas: Any = SimpleNamespace(snapshot=lambda: SimpleNamespace(name="one"))
    tries = iter((OSError("no"), "made"))

    def make() -> str:
        found = next(tries)
        if isinstance(found, OSError):
            raise found
        return found

    latest = Latest(atlas, make)
    with pytest.raises(OSError, match="no"):
        latest()
    assert (latest(), latest()) == ("made", "made")
