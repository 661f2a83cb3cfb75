"""Write docs/ocfl.md: how to validate any OCFL object or storage root, and which codes are found, from the tables of codes.

    .venv/bin/python tools/make_ocfl_page.py > docs/ocfl.md

tests/docs/test_docs_ocfl.py holds the page to it.
"""

from __future__ import annotations

import sys

from fonoteca.formats.ocfl_codes import IN_1_0, NOT_FOUND, RULES

_HEAD = """\
# OCFL: validate any object or storage root

The codes below are written by `tools/make_ocfl_page.py` from the code; a test holds the page to that.

```
fonoteca audit --ocfl /mnt/another/archive/store
fonoteca audit --ocfl /mnt/another/archive/store/a1b/2c3/d4e/some-object --json
```

`PATH` is an OCFL 1.0 or 1.1 object or storage root, whoever wrote it; no archive of Fonoteca is needed, and nothing is written.
Of an archive of our own, name its `store`. What the folder is, its declaration says; where that is missing, its inventory, its
layout file, or an object soon found below it.

| exit status | |
|---|---|
| 0 | valid; there may be warnings |
| 4 | invalid |
| 2 | there is nothing of OCFL to validate, or `PATH` is no folder |

The answer is a table of code, place and sentence, errors first. `--json` prints `path`, `kind` (`object` or `storage root`),
`valid`, `objects`, `files` (content files read), `errors`, `warnings`, `counts` (code to how often) and `findings`: an array of
`code`, `level` (`error` or `warning`), `place`, `sentence` and `rule`. At most 10,000 findings of one code are listed; `counts`
has all.

## What is read

- Every folder is listed, every inventory and sidecar read, and every content file that an inventory names is read once, for all its
  digests together: `sha512`, `sha256`, and in `fixity` also `md5`, `sha1`, `blake2b-160`, `-256`, `-384` and `-512`, `sha512/256`
  and `size`. Large files are hashed on all cores.
- Symbolic links are an error and are never followed. Hard links are not looked for: a backup that shares files with the one
  before is full of them.
- Folders in a version other than the content folder, and what lies in `logs` and in an extension's folder, are not looked into.
- Files in a storage root itself are ignored. Its objects are held against the layout where it is `0002`, `0003` or `0004`; an
  object elsewhere is a warning, because a root should have one layout and may be on its way from another.
- An inventory that two readers could read differently is an error (E033): a key twice, half a character, a byte that is not UTF-8.
  Of earlier inventories, warnings that the newest one gives already are not said again.
- An inventory of more than 256 MiB is not read, and ends the run with an error.

Fonoteca's own stores get one warning, W004, for each version: they use sha256, and [decisions/ocfl.md](decisions/ocfl.md) says why.

What changed from version to version of an object that is held: `fonoteca show ID --versions`.

## The codes

E is for what the specification says must be, W for what it says should be. Rules that 1.1 gave a code of their own are named in
the third column as 1.0 has them.

| code | what it asks | in 1.0 |
|---|---|---|
"""

_NOT_FOUND = """
## Codes that are never given

| code | why |
|---|---|
"""


def page() -> str:
    """Return docs/ocfl.md."""
    rows = [f"| {code} | {rule} | {_in_1_0(code)} |\n" for code, rule in RULES.items()]
    return "".join([_HEAD, *rows, _NOT_FOUND, *(f"| {code} | {why} |\n" for code, why in NOT_FOUND.items())])


def _in_1_0(code: str) -> str:
    if code not in IN_1_0:
        return ""
    return IN_1_0[code] or "no rule"


if __name__ == "__main__":
    sys.stdout.write(page())
