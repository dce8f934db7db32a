"""Downloads from servers with faults: real connections to a server on this machine."""

import http.server
import ssl
import subprocess
import time

import pytest
from local_server import running_server, sha256

from dlcourse.data import fetch as fetch_module
from dlcourse.data.fetch import FetchError, fetch
from dlcourse.data.public_files import CIFAR10, Archive

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def served(monkeypatch):
    """Run a server; its host is the only one that needs no encryption."""
    monkeypatch.setattr(fetch_module, "PLAIN_HOSTS", {"127.0.0.1"})
    with running_server() as server:
        server["/a.bin"] = CONTENT
        yield server


def archive_at(*addresses: str) -> Archive:
    return Archive("a.bin", addresses, len(CONTENT), sha256(CONTENT), {"": "a.bin"}, len(CONTENT))


def received(served, target, *names: str) -> list[int]:
    """Fetch the file from some names on the server; return the sizes that were reported."""
    sizes: list[int] = []
    fetch(archive_at(*(served.address + name for name in names)), target, sizes.append)
    assert target.read_bytes() == CONTENT
    return sizes


def test_a_file_comes_whole_and_its_progress_is_reported(served, tmp_path):
    sizes = received(served, tmp_path / "a", "a.bin")
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(CONTENT)


def test_a_broken_connection_is_continued_where_it_ended(served, tmp_path):
    served.break_after = 100_000
    received(served, tmp_path / "a", "a.bin")
    assert [asked for _, asked in served.requests] == [None, "bytes=100000-", "bytes=200000-"]


def test_a_server_without_ranges_sends_all_of_the_file_again(served, tmp_path):
    (tmp_path / "a").write_bytes(CONTENT[:1000])
    served.ranges = False
    received(served, tmp_path / "a", "a.bin")
    assert served.requests == [("/a.bin", "bytes=1000-")]


def test_wrong_bytes_of_an_earlier_try_are_not_kept(served, tmp_path):
    (tmp_path / "a").write_bytes(b"wrong" * 10)
    received(served, tmp_path / "a", "a.bin")
    assert [asked for _, asked in served.requests] == ["bytes=50-", None]
    (tmp_path / "a").write_bytes(bytes(len(CONTENT) + 5))
    received(served, tmp_path / "a", "a.bin")


def status(code):
    return lambda handler: handler.send_error(code)


def sending(content, kind="application/gzip", **headers):
    """Return a function that sends some bytes, without a length unless one is given."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def redirect_to(address):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def drip(handler):
    """Send a byte of the body every 20 ms for ever."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


def drip_headers(handler):
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


def silent(handler):
    time.sleep(20)


FAULTS = {
    "not found": (status(404), "it answered 404"),
    "server error": (status(500), "it answered 500"),
    "range not satisfiable": (status(416), "it answered 416"),
    "wrong bytes": (sending(bytes(len(CONTENT))), "the file there has the SHA-256 sum"),
    "a web page": (sending(b"<html>log in</html>", "text/html; charset=utf-8"), "a web page"),
    "another length": (sending(b"x", Content_Length="1"), "has 1 bytes and should have 256,000"),
    "too long": (sending(CONTENT + b"x"), "has more than 256,000 bytes"),
    "endless": (sending(CONTENT * 4), "has more than 256,000 bytes"),
    "cut": (sending(CONTENT[:99]), "the connection ended after 99 of 256,000 bytes"),
    "no answer": (lambda handler: handler.connection.close(), ""),
    "no HTTP": (lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n\r\n"), "SSH"),
    "plain address": (redirect_to("http://example.org/a"), "http://example.org/a is not encrypted"),
    "file address": (redirect_to("file:///etc/passwd"), "file:///etc/passwd' is not allowed"),
    "ftp address": (redirect_to("ftp://127.0.0.1/a"), "is not encrypted"),
    "redirect loop": (redirect_to("/bad"), "infinite loop"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_the_next_mirror_is_taken(fault, served, tmp_path):
    served["/bad"], reason = FAULTS[fault]
    received(served, tmp_path / "a", "bad", "a.bin")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1: ") as raised:
        received(served, tmp_path / "b", "bad")
    assert reason in str(raised.value)
    assert fetch_module.size_of(tmp_path / "b") in (0, 99)


@pytest.mark.parametrize("slow", [drip, drip_headers, silent])
def test_a_slow_or_silent_server_is_left_in_bounded_time(slow, served, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_module, "SILENCE", 0.25)
    served["/bad"] = slow
    started = time.monotonic()
    with pytest.raises(FetchError, match="it sent almost nothing for"):
        received(served, tmp_path / "a", "bad")
    assert time.monotonic() - started < 10


def test_without_encryption_nothing_is_asked_for(served, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_module, "PLAIN_HOSTS", frozenset())  # as for every user
    with pytest.raises(FetchError, match="is not encrypted"):
        received(served, tmp_path / "a", "a.bin")
    assert served.requests == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
               "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl makes the certificate")

    class Encrypted(http.server.ThreadingHTTPServer):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.socket = context.wrap_socket(self.socket, server_side=True)

        def handle_error(self, *_):
            pass

    with running_server(http_server=Encrypted) as server:
        server["/a.bin"] = CONTENT
        address = server.address.replace("http://", "https://") + "a.bin"
        with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(archive_at(address), tmp_path / "a", lambda size: None)
        assert server.requests == []


def test_no_published_address_is_without_encryption():
    from dlcourse.data import public_files

    sets = [one for one in vars(public_files).values() if isinstance(one, public_files.PublicSet)]
    archives = [archive for one in sets for archive in one.archives] + [
        public_files.TINY_IMAGENET_ZIP
    ]
    assert len(archives) == 20
    for archive in archives:
        assert all(address.startswith("https://") for address in archive.addresses)
        assert len(archive.sha256) == 64


def test_the_published_names_sizes_and_sums_are_those_of_torchvision():
    from torchvision import datasets

    from dlcourse.data.public_files import STL10, SVHN

    listed = dict([*datasets.STL10.train_list, *datasets.STL10.test_list])
    for file in STL10.files:
        assert file.md5 == listed.get(file.name, "")
    assert [file.name for file in SVHN.files] == [
        datasets.SVHN.split_list[part][1] for part in ("train", "test", "extra")
    ]
    theirs = [*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list]
    names = [name for name, _ in theirs] + [datasets.CIFAR10.meta["filename"]]
    assert [file.name for file in CIFAR10.files] == names
