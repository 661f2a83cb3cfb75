"""What an answer of the protocol has to be: the OpenAPI description of its makers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7


def _retrieve(uri: str) -> Resource[Any]:
    return Resource.from_contents(json.loads(Path(uri.removeprefix("file://")).read_text()), default_specification=DRAFT7)


@cache
def _validator(openapi: Path, name: str) -> Draft7Validator:
    described = json.loads((openapi / "endpoints" / f"{name}.json").read_text())["get"]["responses"]["200"]
    reference = described.get("$ref")
    if reference:
        described = json.loads((openapi / "endpoints" / reference).resolve().read_text())
        base = openapi / "responses"
    else:
        base = openapi / "endpoints"
    schema = described["content"]["application/json"]["schema"]
    path = (base / schema["$ref"]).resolve()
    return Draft7Validator({"$ref": path.as_uri()}, registry=Registry(retrieve=_retrieve))


def check_answer(openapi: Path, name: str, document: Any) -> dict[str, Any]:
    """Return what is in an answer to a call; it is as the protocol says."""
    errors = [f"{list(error.absolute_path)}: {error.message:.300}" for error in _validator(openapi, name).iter_errors(document)]
    assert not errors, (name, errors, document)
    return dict(document["subsonic-response"])
