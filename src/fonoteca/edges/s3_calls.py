"""The requests to S3 that `S3Blobs` makes, through obstore; what is refused comes back in words.

obstore repeats a request that met a busy server or a broken connection, where repeating is safe, within these limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fonoteca.edges.s3_requests import S3Keys, give_up_uploads
from fonoteca.edges.s3_words import S3Place, in_words, no_such_range
from fonoteca.model.errors import BlobMissing, UnsureError, UsageError
from fonoteca.ports import ObjectFound

if TYPE_CHECKING:
    from obstore.store import ObjectStore, S3Config

WRITE_ID = "fonoteca-write"
"""The name of the user metadata that says which write made a blob."""

_SECOND_NS = 1_000_000_000

_DELETED_AT_ONCE = 1000
"""The most keys that one bulk delete of S3 takes."""

_PARTS_AT_ONCE = 4
"""Parts of one blob under way together: with 8 MiB each, 32 MiB of memory."""


@dataclass(frozen=True, slots=True)
class S3Limits:
    """How patient requests are. retries_max and retry_s: repeats of one request, and how long after it the last may begin.

    connect_s, answer_s: for a connection, and for one whole answer. A busy SeaweedFS was seen to take 4 s for 12 MB.
    """

    connect_s: float = 5
    answer_s: float = 120
    retries_max: int = 6
    retry_s: float = 90
    backoff_first_s: float = 0.1
    backoff_max_s: float = 10


LIMITS = S3Limits()


def connect(place: S3Place, keys: S3Keys, limits: S3Limits = LIMITS) -> ObstoreCalls:
    """Return the requests for blobs at a place. Nothing is asked yet. Raises: UsageError when obstore is not installed."""
    try:
        from obstore.store import S3Store
    except ImportError as error:
        remedy = "Install Fonoteca with its extra `many`: pip install 'fonoteca[many]'."
        raise UsageError(place.uri(), "a store on S3 needs the library obstore, which is not installed", remedy) from error
    config: S3Config = {"region": place.region, "access_key_id": keys.key_id, "secret_access_key": keys.secret}
    if place.endpoint:
        config["endpoint"] = place.endpoint
    if keys.session_token:
        config["session_token"] = keys.session_token
    store = S3Store(
        place.bucket,
        prefix=place.prefix or None,
        config=config,
        client_options={
            "allow_http": place.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=limits.connect_s),
            "timeout": timedelta(seconds=limits.answer_s),
        },
        retry_config={
            "max_retries": limits.retries_max,
            "retry_timeout": timedelta(seconds=limits.retry_s),
            "backoff": {
                "init_backoff": timedelta(seconds=limits.backoff_first_s),
                "max_backoff": timedelta(seconds=limits.backoff_max_s),
                "base": 2,
            },
        },
    )
    return ObstoreCalls(store, place, keys)


class ObstoreCalls:
    """`ObjectCalls` through obstore.

    keys: for what obstore does not do; without them uploads that nobody ended are left to the bucket's own rules.
    """

    def __init__(self, store: ObjectStore, place: S3Place, keys: S3Keys | None = None) -> None:
        import obstore

        self._obstore = obstore
        self._store = store
        self._keys = keys
        self._confirmed = False
        self.place = place

    def get(self, key: str, start: int, length: int, e_tag: str) -> tuple[bytes, ObjectFound]:
        """Return at most `length` bytes from `start`, and what the blob is. Raises: UnsureError for fewer than there are."""
        options: dict[str, Any] = {"range": (start, start + length)}
        if e_tag:
            options["if_match"] = e_tag
        with self._words(key):
            try:
                answer = self._obstore.get(self._store, key, options=options)  # type: ignore[arg-type]
                found = _found(answer)
                content = answer.bytes().to_bytes()
            except self._obstore.exceptions.GenericError as error:
                # S3 has no range that begins at the end or after it (416), so none at all of an empty blob.
                at_end = self.head(key) if no_such_range(error) else None
                if at_end is None or at_end.blob_bytes > start:
                    raise
                return b"", at_end
        expected = max(0, min(length, found.blob_bytes - start))
        if len(content) != expected:
            raise self._broken_off(key, len(content), expected)
        return content, found

    def read(self, key: str) -> bytes:
        """Return the whole blob. Raises: UnsureError when fewer bytes arrive than it has."""
        with self._words(key):
            answer = self._obstore.get(self._store, key)
            expected = answer.meta["size"]
            content = answer.bytes().to_bytes()
        if len(content) != expected:
            raise self._broken_off(key, len(content), expected)
        return content

    def head(self, key: str) -> ObjectFound | None:
        """Return what a blob is, None when there is none."""
        try:
            with self._words(key):
                return _found(self._obstore.get(self._store, key, options={"head": True}))
        except BlobMissing:
            return None

    def put(self, key: str, content: bytes, write_id: str) -> None:
        """Put a blob in one request."""
        with self._words(key):
            self._obstore.put(self._store, key, content, attributes={WRITE_ID: write_id}, use_multipart=False)

    def create(self, key: str, content: bytes, write_id: str) -> bool:
        """Put a blob on condition that there is none. Returns: False when the key was taken, perhaps by this very request."""
        with self._words(key):
            try:
                self._obstore.put(self._store, key, content, attributes={WRITE_ID: write_id}, mode="create")
            except self._obstore.exceptions.AlreadyExistsError:
                return False
        return True

    def put_parts(self, key: str, parts: Path | bytes | Iterator[bytes], write_id: str, part_bytes: int) -> None:
        """Put a blob in parts; obstore gives the upload up when one fails."""
        with self._words(key):
            self._obstore.put(
                self._store,
                key,
                parts,
                attributes={WRITE_ID: write_id},
                use_multipart=True,
                chunk_size=part_bytes,
                max_concurrency=_PARTS_AT_ONCE,
            )

    def delete(self, keys: Sequence[str]) -> None:
        """Remove blobs, a thousand in a request."""
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            some = list(keys[start : start + _DELETED_AT_ONCE])
            try:
                with self._words(some[0]):
                    self._obstore.delete(self._store, some)
            except BlobMissing:
                continue  # some other stores than S3 say so

    def below(self, prefix: str) -> Iterator[str]:
        """Yield all keys below a prefix, in the order of the store: SeaweedFS puts folders first."""
        with self._words(prefix):
            for page in self._obstore.list(self._store, prefix or None):
                yield from (found["path"] for found in page if found["path"] != prefix)

    def level(self, prefix: str) -> tuple[list[str], list[str]]:
        """Return the names of folders and of blobs directly below a prefix.

        SeaweedFS shows emptied folders for minutes, and an emptied folder as a blob of its own name in it.
        """
        with self._words(prefix):
            found = self._obstore.list_with_delimiter(self._store, prefix or None)
        folders = [path.rsplit("/", 1)[-1] for path in found["common_prefixes"]]
        return folders, [one["path"].rsplit("/", 1)[-1] for one in found["objects"] if one["path"] != prefix]

    def give_up_uploads(self, prefix: str) -> int:
        """Give up uploads in parts below a prefix that a killed process did not end. Returns: how many."""
        return 0 if self._keys is None else give_up_uploads(self.place, self._keys, prefix)

    @contextmanager
    def _words(self, key: str) -> Iterator[None]:
        """Turn what obstore raises into a StoreError about a key, and trust no "not found" before the store has shown itself."""
        try:
            yield
        except (self._obstore.exceptions.BaseError, FileNotFoundError, ValueError) as error:
            told = in_words(error, self.place, key)
            if isinstance(told, BlobMissing):
                self._confirm()
            raise told from error
        self._confirmed = True

    def _confirm(self) -> None:
        """Raise StoreError unless there is such a bucket: a web server that is no S3 has never heard of any key either."""
        if not self._confirmed:
            try:
                self._obstore.list_with_delimiter(self._store, "extensions")
            except (self._obstore.exceptions.BaseError, FileNotFoundError, ValueError) as error:
                raise in_words(error, self.place, "") from error
            self._confirmed = True

    def _broken_off(self, key: str, found: int, expected: int) -> UnsureError:
        problem = f"{self.place.host} sent {found} bytes of {expected}"
        return UnsureError(self.place.uri(key), problem, "Run the same command again; look into its log if it happens often.")


def _found(answer: Any) -> ObjectFound:
    """Return what an answer says of its blob."""
    meta = answer.meta
    modified: datetime = meta["last_modified"]
    # S3 tells the time to the second. The rest comes of the tag, so that what is written twice in a second has two times.
    fraction = int.from_bytes(sha256((meta["e_tag"] or "").encode()).digest()[:8]) % _SECOND_NS
    modified_ns = int(modified.timestamp()) * _SECOND_NS + fraction
    return ObjectFound(meta["size"], meta["e_tag"] or "", modified_ns, answer.attributes.get(WRITE_ID, ""))
