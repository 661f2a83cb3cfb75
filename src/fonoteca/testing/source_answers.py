"""What sources answer, put on a host on loopback: items of the Internet Archive, and lists of files with their rights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from fonoteca.testing.source_hosts import SourceHost

BY = "https://creativecommons.org/licenses/by/4.0/"
NC = "https://creativecommons.org/licenses/by-nc/4.0/"


def put_archive_item(host: SourceHost, name: str, files: Mapping[str, bytes], licence: str = BY, **metadata: str) -> None:
    """Put an item as the Internet Archive has it: its originals, what was made of each of them, and a picture's thumbnail."""
    listed: list[dict[str, str]] = []
    for path, content in files.items():
        host.put(f"/download/{name}/{path}", content)
        digests = {"md5": hashlib.md5(content).hexdigest(), "sha1": hashlib.sha1(content).hexdigest()}
        listed.append({"name": path, "source": "original", "format": "Flac", "size": str(len(content)), **digests})
        made = path.rpartition(".")[0] + ".mp3"
        listed.append({"name": made, "source": "derivative", "original": path, "format": "VBR MP3"})
    listed.append({"name": "__ia_thumb.jpg", "source": "original", "format": "Item Tile"})
    stated = {"identifier": name, "title": f"Album {name}", "creator": ["The Generators"], "licenseurl": licence, **metadata}
    answer = {"metadata": {key: value for key, value in stated.items() if value}, "files": listed}
    host.put(f"/metadata/{name}", json.dumps(answer), "application/json")


def put_list(host: SourceHost, rows: Sequence[Mapping[str, str]], path: str = "/list.tsv") -> str:
    """Put a list of files. Returns: its address."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(columns), *("\t".join(row.get(name, "") for name in columns) for row in rows)]
    host.put(path, "\n".join(lines), "text/tab-separated-values")
    return host.address + path
