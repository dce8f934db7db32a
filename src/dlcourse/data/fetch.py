"""Download a file whose size and checksum are known: HTTPS only, in bounded time, resumable."""

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from dlcourse.data.public_files import Archive
from dlcourse.data.verified import sum_of_file

SILENCE = 30.0  # seconds in which SLOWEST bytes have to come
SLOWEST = 30_000  # bytes; 1 kB/s
BYTES_READ = 2**16
REDIRECTS = 5
TRIES_AT_ADDRESS = 5  # at one address; another try needs new bytes
PLAIN_HOSTS: frozenset[str] = frozenset()
"""Hosts that need no encryption. Empty, and nothing that a user can type changes it: tests of this
module put 127.0.0.1 into it."""


class FetchError(Exception):
    """A file could not be downloaded; the text says why."""


class BrokenConnectionError(FetchError):
    """The connection ended before the file did."""


class StorageError(FetchError):
    """The bytes that came could not be written to the disk; ``error`` is the OSError."""

    def __init__(self, error: OSError, target: Path, needed: int) -> None:
        super().__init__(str(error))
        self.error = error
        error.filename = str(target)
        error.needed = needed  # pyright: ignore[reportAttributeAccessIssue] - see refused.py


def fetch(archive: Archive, target: Path, report: Callable[[int], None]) -> None:
    """Download an archive to ``target`` and verify it.

    The addresses are tried in their order: the next one after a wrong checksum, an error of the
    server, a web page, or silence. Bytes that ``target`` has from an earlier try are kept if the
    server can send the rest.

    report: gets the number of bytes that ``target`` has.

    Raises FetchError with the reason of every address; StorageError if the disk is the reason.
    """
    reasons = []
    for address in archive.addresses:
        try:
            fetch_from(address, archive, target, report)
        except StorageError:
            raise
        except FetchError as error:
            reasons.append(f"{urlsplit(address).hostname}: {error}")
        else:
            return
    raise FetchError("; ".join(reasons))


def fetch_from(address: str, archive: Archive, target: Path, report: Callable[[int], None]) -> None:
    """Download an archive from one address; a broken connection is tried again while bytes come."""
    for attempt in range(TRIES_AT_ADDRESS):
        before = size_of(target)
        try:
            if before < archive.size:
                receive_rest(address, archive, target, report)
        except BrokenConnectionError:
            if attempt == TRIES_AT_ADDRESS - 1 or size_of(target) <= before:
                raise
            continue
        found = sum_of_file(target)
        if found == archive.sha256:
            return
        target.unlink()
        if not before:
            raise FetchError(f"the file there has the SHA-256 sum {found}, not {archive.sha256}")
    raise FetchError("the file there changed while it was downloaded")


def receive_rest(
    address: str, archive: Archive, target: Path, report: Callable[[int], None]
) -> None:
    """Append the rest of an archive to ``target``, or all of it if the server sends all."""
    start = size_of(target)
    with connection_to(address, start) as (response, heard):
        size = first_byte(response, start, archive)
        with Writer(target, archive.size, append=size > 0) as file:
            while size < archive.size and (block := response.read1(BYTES_READ)):
                heard(len(block))
                file.write(block[: archive.size - size])
                size += len(block)
                report(min(size, archive.size))
        longer = size > archive.size or (size == archive.size and bool(response.read1(1)))
    if longer:
        target.unlink()
        raise FetchError(f"the file there has more than {archive.size:,} bytes")
    if size < archive.size:
        raise BrokenConnectionError(
            f"the connection ended after {size:,} of {archive.size:,} bytes"
        )


def first_byte(response: Any, asked: int, archive: Archive) -> int:
    """Return the position in the file of the first byte that a server sends; 0 if it sends all.

    Raises FetchError for a web page and for a file of another size.
    """
    headers = response.headers
    if headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise FetchError("it sent a web page and not the file, perhaps the network's login page")
    start = 0
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        if not headers.get("Content-Range", "").startswith(f"bytes {asked}-"):
            raise FetchError("it sent another part of the file than the one asked for")
        start = asked
    length = headers.get("Content-Length", "")
    if length.isdecimal() and start + int(length) != archive.size:
        raise FetchError(
            f"the file there has {start + int(length):,} bytes and should have {archive.size:,}"
        )
    return start


@contextmanager
def connection_to(address: str, start: int) -> Iterator[tuple[Any, Callable[[int], None]]]:
    """Open an address from byte ``start`` on; yield the response, and a function of bytes heard.

    The connection is closed after SILENCE seconds with fewer than SLOWEST bytes; then, and for
    every other failure of the connection, FetchError is raised.
    """
    watch = SlowWatch()
    request = urllib.request.Request(checked(address), headers={"User-Agent": "dlcourse"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    opener = urllib.request.build_opener(HttpsOnly, WatchedHttp(watch), WatchedHttps(watch))
    try:
        with watch, opener.open(request, timeout=SILENCE) as response:
            yield response, watch.heard
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(f"it answered {error.code} {error.reason}".replace("\n", " ")) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        if watch.expired or isinstance(error, TimeoutError):
            raise FetchError(f"it sent almost nothing for {SILENCE:.0f} s") from error
        reason = getattr(error, "reason", error)
        text = " ".join(str(reason).split()) or type(error).__name__
        raise BrokenConnectionError(text) from error
    if watch.expired:
        raise FetchError(f"it sent almost nothing for {SILENCE:.0f} s")


def checked(address: str) -> str:
    """Return an address; raises FetchError if it is not encrypted."""
    parts = urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in PLAIN_HOSTS
    if parts.scheme != "https" and not local:
        raise FetchError(f"the address {address:.200} is not encrypted (https)")
    return address


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, each to an encrypted address."""

    max_redirections = REDIRECTS
    max_repeats = 2

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        """Return the request of the new address, the last argument, after it was checked."""
        arguments[1].close()  # else its text, of any length, would be read
        checked(arguments[-1])
        return super().redirect_request(*arguments)


class SlowWatch:
    """Ends connections from which too little comes, at whatever stage they are."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.expired = False
        self.bytes = 0
        self.since = monotonic()
        self.over = Event()
        self.thread = Thread(target=self.run, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def heard(self, count: int) -> None:
        """Count bytes of the file that have come."""
        self.bytes += count
        if self.bytes >= SLOWEST:
            self.bytes, self.since = 0, monotonic()

    def run(self) -> None:
        """Wait until the end, or end the connections once too little has come."""
        while not self.over.wait(min(1.0, SILENCE / 4)):
            if monotonic() - self.since > SILENCE:
                self.expired = True
                for one in self.sockets:
                    with suppress(OSError):  # an SSLSocket's own would forget its encryption
                        socket.socket.shutdown(one, socket.SHUT_RDWR)

    def watched(self, kind: type[http.client.HTTPConnection]) -> Any:
        """Return a kind of connection whose sockets are watched.

        The socket is taken when it is connected: urllib takes it out of the connection later.
        """
        watch = self

        class Watched(kind):  # type: ignore[misc, valid-type]
            def connect(self) -> None:
                super().connect()
                watch.sockets.append(self.sock)

        return Watched


class WatchedHttps(urllib.request.HTTPSHandler):
    """Opens encrypted connections and has them watched."""

    def __init__(self, watch: SlowWatch) -> None:
        self.context = ssl.create_default_context()
        super().__init__(context=self.context)
        self.kind = watch.watched(http.client.HTTPSConnection)

    def https_open(self, request: urllib.request.Request) -> Any:
        """Return the response to a request."""
        return self.do_open(self.kind, request, context=self.context)


class WatchedHttp(urllib.request.HTTPHandler):
    """Opens the plain connections of PLAIN_HOSTS and has them watched."""

    def __init__(self, watch: SlowWatch) -> None:
        super().__init__()
        self.kind = watch.watched(http.client.HTTPConnection)

    def http_open(self, request: urllib.request.Request) -> Any:
        """Return the response to a request."""
        checked(request.full_url)
        return self.do_open(self.kind, request)


class Writer:
    """Writes to a file without a buffer, so that a full disk is noticed at once.

    needed: the size of the whole file, for messages. Raises StorageError.
    """

    def __init__(self, target: Path, needed: int, *, append: bool) -> None:
        self.target, self.needed = target, needed
        try:
            self.file = open(target, "ab" if append else "wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise StorageError(error, target, needed) from error

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, block: bytes) -> None:
        """Write all bytes."""
        left = memoryview(block)
        try:
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:
            raise StorageError(error, self.target, self.needed) from error


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0
