"""What an S3 refuses, in words: which blob, what was answered, and what to do next."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fonoteca.model.errors import BlobMissing, StoreError, UnsureError

_AGAIN = "Run the same command again when it answers; nothing that was acknowledged is lost."
_SETTINGS = "Correct `archive.store` or `s3.endpoint` in fonoteca.toml."
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_RETRIES = re.compile(r"after (\d+) retries")
_KIND = re.compile(r"HttpError \{\s*kind: (\w+)")
_CAUSE = re.compile(r'message: "([^"]*)"|error: "([^"]*)"')


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where blobs are on S3. endpoint: the URL of the S3, "" for Amazon's own. prefix: without slashes around it."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"

    @classmethod
    def of(cls, address: str, endpoint: str, region: str) -> S3Place:
        """Return the place that `s3://bucket/prefix` names."""
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        return cls(bucket, prefix, endpoint, region)

    def uri(self, key: str = "") -> str:
        """Return how messages call a key, or the whole place."""
        return "s3://" + "/".join(part for part in (self.bucket, self.prefix, key) if part)

    @property
    def host(self) -> str:
        """How messages call the S3."""
        return f"the S3 at {self.endpoint}" if self.endpoint else f"Amazon S3 in {self.region}"


def no_such_range(error: Exception) -> bool:
    """Whether an S3 (by 416), or obstore's own store in memory, says that a blob has no byte in the range asked for."""
    text = str(error)
    return _found(_STATUS, text) == "416" or "Wanted range starting at" in text


def in_words(error: Exception, place: S3Place, key: str) -> StoreError:
    """Return an error of obstore as one that a person can act on.

    BlobMissing is an answer; UnsureError leaves open what became of the request.
    """
    text = str(error).partition("Debug source")[0]
    status, code = _found(_STATUS, text), _found(_CODE, text)
    answered = " ".join(part for part in (status, code) if part)
    subject, host = place.uri(key), place.host
    if code == "NoSuchBucket":
        return StoreError(subject, f"there is no bucket {place.bucket!r} at {host}", f"Make the bucket. Or: {_SETTINGS}")
    if isinstance(error, FileNotFoundError):
        return BlobMissing(subject, f"there is no such blob at {host}")
    if status in ("401", "403"):
        remedy = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, this machine's clock, and what they may do in the bucket."
        return StoreError(subject, f"{host} refuses access ({answered})", remedy)
    if status == "412":
        return StoreError(subject, "it was changed while it was read", "Look for who else writes in this store.")
    if status in ("301", "307", "308") or code == "AuthorizationHeaderMalformed":
        return StoreError(subject, f"{host} says that the bucket is in another region ({answered})", "Correct `s3.region`.")
    if status.startswith("5") or status in ("408", "409", "429"):
        tries = int(_found(_RETRIES, text) or 0) + 1
        return UnsureError(subject, f"{host} answered {answered}, {tries} times", _AGAIN)
    if status:
        return StoreError(subject, f"{host} refuses the request ({answered})", _SETTINGS)
    if isinstance(error, ValueError):
        return StoreError(subject, f"not a key for S3: {text.strip()}")
    kind = _found(_KIND, str(error))
    if kind == "Timeout":
        return UnsureError(subject, f"{host} did not answer in time", _AGAIN)
    if kind == "Connect":
        cause = _CAUSE.search(str(error))
        why = f": {(cause[1] or cause[2]).lower()}" if cause else ""
        return UnsureError(subject, f"{host} cannot be reached{why}", f"Look whether it runs. Or: {_SETTINGS} Then run again.")
    return UnsureError(subject, f"{host} broke off: {_plain(text)}", _AGAIN)


def _found(pattern: re.Pattern[str], text: str) -> str:
    """Return the first group of the first match, "" when there is none."""
    match = pattern.search(text)
    return match[1] if match else ""


def _plain(text: str) -> str:
    """Return the end of a chain of errors, which says the most."""
    return text.strip().rpartition(" - ")[2].splitlines()[0][:200] if text.strip() else "no reason given"
