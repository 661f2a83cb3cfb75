"""`folder`: audio and artwork in a folder, with a rights.toml or licence addresses in the tags. See docs/sources.md."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

from fonoteca.model.corridor import Candidate
from fonoteca.model.errors import SourceError
from fonoteca.sources.albums import Premises, read_albums
from fonoteca.sources.offering import SourceContext
from fonoteca.sources.paths import received_text, slug
from fonoteca.sources.steady import open_steady
from fonoteca.sources.tree import FoundFile, Parts, walk


class FolderSource:
    """A folder on this machine."""

    kind = "folder"

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        """Yield the candidates of all items below a folder, in order of path.

        All rights.toml are read and checked before the first candidate; tags are read item by item.
        """
        tree = walk(ref)

        def name_of(folder: Parts) -> str:
            path = tree.root.joinpath(*folder)
            return f"{slug(path.name) or 'folder'}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"

        found = False
        for candidate in read_albums(tree, Premises(self.kind, name_of, _opener), context):
            found = True
            yield candidate
        if not found:
            remedy = "Name a folder with audio files in it, or below a rights.toml"
            raise SourceError(received_text(os.fsencode(tree.root)), "holds no music: expected audio files", remedy)


SOURCE = FolderSource()


def _opener(found: FoundFile, subject: str) -> Callable[[], BinaryIO]:
    """Return what opens a file that must not change while it is read."""
    return partial(open_steady, found.path, subject, found.stamp)
