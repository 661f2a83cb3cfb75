"""How the description of the API says that a closed site wants a key."""

from __future__ import annotations

from typing import Any

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPBearer


def api_security(*, open_to_all: bool) -> dict[str, Any]:
    """Return what to make a FastAPI application with. The gate looks at keys; this only describes them."""
    if open_to_all:
        return {}
    bearer = HTTPBearer(auto_error=False, description="An API key, as the page of an account makes it.")
    header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same, for programs that cannot send the other.")
    refused = {"description": "This needs an account.", "content": {"application/problem+json": {}}}
    return {"dependencies": [Security(bearer), Security(header)], "responses": {401: refused}}
