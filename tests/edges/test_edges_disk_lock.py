"""One writer in an archive at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fonoteca.edges.disk import ArchiveLock
from fonoteca.model.errors import BusyError, StoreError


def _holder(path: Path) -> subprocess.Popen[str]:
    """Return a process that holds the lock until its stdin closes."""
    code = """
        import sys
        from pathlib import Path
        from fonoteca.edges.disk import ArchiveLock
        with ArchiveLock(Path(sys.argv[1])):
            print("held", flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path), "acquire", "folder"]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_process_is_told_who_is_writing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = _holder(path)
    try:
        with pytest.raises(BusyError, match=rf"process {holder.pid} \(`.*acquire folder`\) is writing"), ArchiveLock(path):
            pass
    finally:
        holder.communicate("")
    with ArchiveLock(path):
        pass


def test_a_killed_holder_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = _holder(path)
    holder.kill()
    holder.communicate()
    for _ in range(2):  # until what it left is cleared up
        with ArchiveLock(path) as lock:
            assert lock.after_kill
    with ArchiveLock(path) as lock:
        lock.cleared_up()
    with ArchiveLock(path) as lock:
        assert not lock.after_kill


def test_an_orderly_holder_leaves_no_alarm(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    _holder(path).communicate("")
    with ArchiveLock(path) as lock:
        assert not lock.after_kill


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = ArchiveLock(path)
    lock.__enter__()
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    lock.__exit__(None, None, None)
    with ArchiveLock(path):
        pass
    os.write(go[1], b"x")
    assert os.waitpid(child, 0)[1] == 0


def test_a_lock_in_a_missing_folder_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError), ArchiveLock(tmp_path / "none" / "lock"):
        pass
