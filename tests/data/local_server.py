"""A server on this machine with the faults of real ones, and small public sets on it."""

import gzip
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from dlcourse.data.public_files import File, PublicSet


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Server(dict):
    """Maps paths such as ``/a.gz`` to their bytes, or to a function that answers a request.

    requests: the path and the Range header of every request so far.
    break_after: the number of bytes of each answer after which the connection ends.
    ranges: whether parts of files are sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.address = ""
        self.requests: list[tuple[str, str | None]] = []
        self.break_after: int | None = None
        self.ranges = True

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.requests.append((handler.path, handler.headers["Range"]))
        content = self.get(handler.path)
        if content is None:
            handler.send_error(404)
        elif callable(content):
            content(handler)
        else:
            self.send(handler, content)

    def send(self, handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
        start = 0
        asked = handler.headers["Range"]
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:][: self.break_after])


@contextmanager
def running_server(**kind: type) -> Iterator[Server]:
    """Run a server; ``http_server`` is the class that listens."""
    served = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            served.answer(self)

        def log_message(self, *arguments):
            pass

    listens = kind.get("http_server", http.server.ThreadingHTTPServer)
    with listens(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        running.block_on_close = False
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        served.address = f"http://127.0.0.1:{running.server_port}/"
        yield served
        running.shutdown()


def small_set(
    source: PublicSet, files: dict[str, bytes], server: Server, *, pinned: bool = True
) -> PublicSet:
    """Return a set with the archives of another, but other files, and put it on a server.

    pinned: whether the sums of the files are known, and not only those of the archives.
    """
    known = tuple(
        File(name, len(content), sha256(content) if pinned else "")
        for name, content in files.items()
    )
    archives = []
    for archive in source.archives:
        inside = {member: files[name] for member, name in archive.members.items() if name in files}
        if not inside:
            continue
        content = packed(archive.name, inside)
        server[f"/{archive.name}"] = content
        archives.append(
            archive._replace(
                addresses=(f"{server.address}{archive.name}",),
                size=len(content),
                sha256=sha256(content),
                members={member: archive.members[member] for member in inside},
                unpacked=2 * sum(map(len, inside.values())),
            )
        )
    return source._replace(files=known, archives=tuple(archives))


def packed(name: str, inside: dict[str, bytes]) -> bytes:
    """Return an archive; a member whose name ends with ``.gz`` is compressed itself."""
    buffer = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(buffer, "w") as archive:
            for member, content in inside.items():
                archive.writestr(
                    member, gzip.compress(content) if member.endswith(".gz") else content
                )
        return buffer.getvalue()
    if name.endswith(".tar.gz"):
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for member, content in inside.items():
                entry = tarfile.TarInfo(member)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()
    (content,) = inside.values()
    return gzip.compress(content) if name.endswith(".gz") else content
