"""Objects under one address: read, written whole, listed, removed, by whichever file system of fsspec serves it.

S3 goes through Arrow's client, which comes with pyarrow: botocore, on which s3fs stands, asks for an older python-dateutil
than the rest of this environment has.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from preceptor.errors import UsageError
from preceptor.settings import StorageSettings
from preceptor.storage.errors import ChangedCopy, StorageAway

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PIECE = 8 << 20  # read of an object by one request
_AWS_CODE = re.compile(r"AWS Error ([A-Z_]+)")
_CONNECT_SECONDS = 5.0
_SILENT_SECONDS = (
    10.0  # without a byte; the client's own 3 are few for a store under load. It tries three times
)
# Packages that fsspec needs for an address; neither comes with Preceptor, nor was tried with it.
_PACKAGES = {"gs": "gcsfs", "abfs": "adlfs"}


class Objects:
    """The objects below `base` in a file system. Keys are relative, with slashes; `name` is the address in messages.

    `seal` is the key of this home's vault: who may write to the store, but has not that key, can change nothing sealed unnoticed.
    """

    def __init__(self, system: AbstractFileSystem, base: str, name: str, seal: bytes) -> None:
        from fsspec.implementations.local import LocalFileSystem

        self._system, self._base, self.name, self._seal = system, base.rstrip("/"), name, seal
        # An object store shows an object when all of it is there; a folder needs the renaming.
        self._renames = isinstance(system, LocalFileSystem)

    def size(self, key: str) -> int | None:
        """Bytes of an object; None if there is none."""
        with self._told(), suppress(FileNotFoundError):
            found = self._system.info(self._path(key))
            return found["size"] if found["type"] == "file" else None
        return None

    def read(self, key: str) -> bytes | None:
        """A small object; None if there is none."""
        with self._told(), suppress(FileNotFoundError), self._system.open(self._path(key), "rb") as stream:
            return stream.read()
        return None

    def write(self, key: str, data: bytes) -> None:
        """Write a small object, whole or not at all."""
        with self._writing(key) as stream:
            stream.write(data)

    def write_sealed(self, key: str, text: str) -> None:
        """Write a text with the seal that binds it to its place."""
        self.write(key, json.dumps({"seal": self._sealed(key, text), "content": text}).encode())

    def read_sealed(self, key: str) -> str | None:
        """The text of a sealed object; None if there is none. Raises `ChangedCopy` if the seal is not of this vault."""
        body = self.read(key)
        if body is None:
            return None
        try:
            found = json.loads(body)
            text, seal = str(found["content"]), str(found["seal"])
        except (ValueError, KeyError, TypeError):
            text, seal = "", ""
        if not hmac.compare_digest(self._sealed(key, text), seal):
            raise ChangedCopy(
                f"{key} in {self.name} was changed, or written by a home with another vault (rule storage-seal). Nothing of it was "
                "taken. A home of this vault that has it writes it again with `preceptor storage push --check`."
            )
        return text

    def send(self, key: str, path: Path) -> None:
        """Write a file's bytes as an object, whole or not at all."""
        with path.open("rb") as source, self._writing(key) as stream:
            shutil.copyfileobj(source, stream, _PIECE)

    def receive(self, key: str, path: Path) -> str | None:
        """Write an object's bytes into a file, and return their SHA-256; None if there is no such object."""
        with path.open("wb") as out:
            return self._through(key, out.write)

    def sha256(self, key: str) -> str | None:
        """The SHA-256 of an object, read whole; None if there is none."""
        return self._through(key, lambda piece: None)

    def _through(self, key: str, take: Callable[[bytes], object]) -> str | None:
        """Hand an object over piece by piece; what `take` raises, such as a full disk, is not the store's fault."""
        stream = None
        with self._told(), suppress(FileNotFoundError):
            stream = self._system.open(self._path(key), "rb")
        if stream is None:
            return None
        digest = hashlib.sha256()
        with closing(stream):
            while piece := self._piece(stream):
                digest.update(piece)
                take(piece)
        return digest.hexdigest()

    def _piece(self, stream: Any) -> bytes:
        with self._told():
            return stream.read(_PIECE)

    def children(self, key: str = "") -> dict[str, int | None]:
        """What lies directly below: names, with the bytes of objects and None for folders. Empty if there is nothing."""
        with self._told(), suppress(FileNotFoundError):
            at = self._path(key)
            return {
                entry["name"].rstrip("/").rsplit("/", 1)[-1]: entry["size"]
                if entry["type"] == "file"
                else None
                for entry in self._system.ls(at, detail=True)
                if entry["name"].strip("/")
                != at.strip("/")  # a mark of an empty folder, as some clients leave
            }
        return {}

    def remove(self, key: str) -> None:
        """Remove an object, if it is there."""
        with self._told(), suppress(FileNotFoundError):
            self._system.rm_file(self._path(key))

    def _sealed(self, key: str, text: str) -> str:
        return hmac.new(self._seal, f"{key}\n{text}".encode(), "sha256").hexdigest()

    def _path(self, key: str) -> str:
        return f"{self._base}/{key}".rstrip("/")

    @contextmanager
    def _writing(self, key: str) -> Iterator[Any]:
        path = self._path(key)
        at = f"{path}.part" if self._renames else path
        with self._told():
            with self._system.open(at, "wb") as stream:
                yield stream
            if self._renames:
                Path(at).replace(path)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Clients say what failed in many ways, with addresses and ids of accounts: of that only a code is passed on."""
        try:
            yield
        except Exception as error:
            code = _AWS_CODE.search(str(error))
            what = code[1] if code else type(error).__name__
        else:
            return
        raise StorageAway(
            f"The object store {self.name} cannot be used ({what}, rule storage-away). Look at storage.url and "
            "storage.endpoint, at the network, and at the credentials in the environment; then `preceptor storage push`."
        ) from None


def open_objects(settings: StorageSettings, seal: bytes) -> Objects:
    """The objects of `storage.url`, with the key that seals; nothing is asked of the store yet.

    Raises `UsageError` where there is no address, or the package for it is missing.
    """
    if settings.url is None:
        raise UsageError("There is no object store: set storage.url (docs/deploy.md#object-storage).")
    scheme, _, path = settings.url.partition("://")
    if scheme == "s3":
        return Objects(_s3(settings), path, settings.url, seal)
    import fsspec

    options = {"auto_mkdir": True} if scheme == "file" else {"use_listings_cache": False}
    try:
        return Objects(
            fsspec.filesystem(scheme, skip_instance_cache=True, **options), path, settings.url, seal
        )
    except ImportError:
        raise UsageError(
            f"An address {scheme}:// needs the package {_PACKAGES[scheme]}, which is not installed: "
            f"uv pip install {_PACKAGES[scheme]}. It was not tried with Preceptor."
        ) from None


def _s3(settings: StorageSettings) -> AbstractFileSystem:
    """Credentials are found as the AWS SDK finds them: environment, files of profiles, role of the pod or machine."""
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import S3FileSystem

    endpoint = urlsplit(settings.endpoint) if settings.endpoint else None
    return ArrowFSWrapper(
        S3FileSystem(
            region=settings.region,
            scheme=endpoint.scheme if endpoint else "https",
            endpoint_override=endpoint.netloc if endpoint else None,
            tls_ca_file_path=settings.ca_file,
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_SILENT_SECONDS,
        ),
        skip_instance_cache=True,
    )
