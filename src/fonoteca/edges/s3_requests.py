"""Requests to S3 that obstore has none for: uploads in parts that a killed process left are found, and given up.

Signed as "Authenticating Requests (AWS Signature Version 4)" of Amazon's S3 API reference says.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import httpx

from fonoteca.edges.s3_words import S3Place
from fonoteca.model.errors import StoreError, UsageError

_TIMEOUT_S = 30
_ROUNDS_MAX = 100
"""Pages of a thousand uploads: a process killed once leaves at most a handful."""

_NOT_ANSWERED = {httpx.codes.FORBIDDEN, httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.NOT_IMPLEMENTED}
"""What an S3 says that knows no such question, or lets only others ask it: unfinished uploads are left to the bucket's rules."""

_SERVICE = "s3"
_SAFE = "-_.~"
_NAMESPACE = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class S3Keys:
    """Who we are to an S3. Never shown."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> S3Keys:
        """Return the keys that an environment gives. Raises: UsageError when it gives none."""
        key_id, secret = environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")
        if not key_id or not secret:
            missing = "AWS_SECRET_ACCESS_KEY" if key_id else "AWS_ACCESS_KEY_ID"
            remedy = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the keys of the S3 that the store is on."
            raise UsageError(missing, "it is not set, and the store is on S3", remedy)
        return cls(key_id, secret, environment.get("AWS_SESSION_TOKEN", ""))


def give_up_uploads(place: S3Place, keys: S3Keys, prefix: str) -> int:
    """Return how many uploads in parts below a prefix were given up. Only for a time when nobody uploads there.

    Raises: StoreError when the S3 cannot be reached or is ill. Of one that will not say which there are, or lets only others
    end them, none is given up.
    """
    start = "/".join(part for part in (place.prefix, prefix) if part)
    given_up = 0
    for _ in range(_ROUNDS_MAX):
        found = _uploads(place, keys, start)
        for key, upload in found:
            if _send(place, keys, "DELETE", key, {"uploadId": upload}).status_code in _NOT_ANSWERED:
                return given_up
            given_up += 1
        if not found:
            return given_up
    raise StoreError(place.uri(prefix), f"more than {given_up} uploads that nobody ended", "Give them up by other means.")


def _uploads(place: S3Place, keys: S3Keys, start: str) -> list[tuple[str, str]]:
    """Return the key and id of the first uploads at and below a prefix of the bucket."""
    answer = _send(place, keys, "GET", "", {"uploads": "", **({"prefix": start} if start else {})})
    if answer.status_code in _NOT_ANSWERED:
        return []
    try:
        root = ElementTree.fromstring(answer.content)
    except ElementTree.ParseError as error:
        raise StoreError(place.uri(), f"{place.host} answered something else than XML: {error}") from error
    found = []
    for upload in root:
        told = {_NAMESPACE.sub("", child.tag): child.text or "" for child in upload}
        if "UploadId" in told and (not start or told["Key"] == start or told["Key"].startswith(f"{start}/")):
            found.append((told["Key"], told["UploadId"]))
    return found


def _send(place: S3Place, keys: S3Keys, method: str, key: str, query: Mapping[str, str]) -> httpx.Response:
    """Return the answer to a signed request without a body. key: in the bucket."""
    endpoint = place.endpoint or f"https://s3.{place.region}.amazonaws.com"
    parts = urlsplit(endpoint)
    path = f"{parts.path.rstrip('/')}/{place.bucket}" + (f"/{quote(key, safe=_SAFE + '/')}" if key else "")
    asked = "&".join(f"{quote(name, safe=_SAFE)}={quote(value, safe=_SAFE)}" for name, value in sorted(query.items()))
    headers = _signed(keys, place.region, f"{method}\n{path}\n{asked}", parts.netloc)
    try:
        answer = httpx.request(method, f"{parts.scheme}://{parts.netloc}{path}?{asked}", headers=headers, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise StoreError(place.uri(key), f"{place.host} cannot be reached: {error}", "Look whether it runs.") from error
    gone = method == "DELETE" and answer.status_code == httpx.codes.NOT_FOUND  # given up by itself meanwhile
    if answer.is_error and not gone and answer.status_code not in _NOT_ANSWERED:
        raise StoreError(place.uri(key), f"{place.host} answered {answer.status_code} when asked for unfinished uploads")
    return answer


def _signed(keys: S3Keys, region: str, request: str, host: str) -> dict[str, str]:
    """Return the headers that prove who asks. request: method, path and query, a line each."""
    at = datetime.now(UTC)
    stamp, day = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}"
    empty = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": empty, "x-amz-date": stamp}
    if keys.session_token:
        headers["x-amz-security-token"] = keys.session_token
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = hashlib.sha256(f"{request}\n{lines}\n{names}\n{empty}".encode()).hexdigest()
    scope = f"{day}/{region}/{_SERVICE}/aws4_request"
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}".encode(), hashlib.sha256).hexdigest()
    credential = f"{keys.key_id}/{scope}"
    said = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": said}
