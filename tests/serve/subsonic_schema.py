"""What an answer of the protocol has to be: the OpenAPI description of its makers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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


def same(element: ElementTree.Element, noun: Any, where: str) -> bool:
    """Assert that an element of XML says what a noun of JSON says."""
    if not isinstance(noun, dict):
        assert (element.text or "") == spelt(noun), where
        return True
    plain = {key: spelt(value) for key, value in noun.items() if not isinstance(value, dict | list) and key != "value"}
    assert dict(element.attrib) == plain, where
    if "value" in noun:
        assert (element.text or "").split() == spelt(noun["value"]).split(), where
    below = [(key, one) for key, v in noun.items() if isinstance(v, dict | list) for one in (v if isinstance(v, list) else [v])]
    assert [child.tag.partition("}")[2] for child in element] == [key for key, _ in below], where
    return all(same(child, one, f"{where}/{key}") for child, (key, one) in zip(element, below, strict=True))


def spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
