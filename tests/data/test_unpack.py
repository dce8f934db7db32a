"""Archives with what they must not have: each is refused, and nothing is written outside."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile

import pytest
from local_server import sha256

from dlcourse.data import unpack as unpack_module
from dlcourse.data.unpack import ArchiveError, Target, unpack

GOOD = {"set/a": b"first " * 50, "set/b": b"second"}
WANTED = {"set/a": Target("a", 300), "set/b": Target("b", 6)}
MOST = 2000


def tar(*extra, good=GOOD) -> bytes:
    """Return a tar archive of the good members and of others, each (TarInfo, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in good.items():
            archive.addfile(*entry(name, content))
        for info, content in extra:
            archive.addfile(info, content)
    return buffer.getvalue()


def entry(name, content=b"evil", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, io.BytesIO(content)


def zipped(*extra, good=GOOD) -> bytes:
    """Return a ZIP archive of the good members and of others, each (ZipInfo or name, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*good.items(), *extra]:
            archive.writestr(name, content)
    return buffer.getvalue()


def special(name, kind):
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def encrypted(content: bytes) -> bytes:
    """Set the bit that marks the members of a ZIP archive as encrypted, in both headers."""
    changed = bytearray(content)
    for mark, place in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = changed.find(mark)
        changed[at + place] |= 1
    return bytes(changed)


def raw_tar(header: bytes) -> bytes:
    """Return a compressed tar archive of one header without a checksum yet."""
    block = bytearray(header.ljust(512, b"\0"))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return gzip.compress(bytes(block) + bytes(1024))


def header(name: bytes, size: bytes, kind: bytes) -> bytes:
    return (name.ljust(100, b"\0") + b"0000644\0" * 1 + b"0000000\0" * 2 + size + b"0" * 11 + b"\0"
            + b" " * 8 + kind + bytes(100) + b"ustar\x0000")  # fmt: skip


LINK, HARD, DEVICE, PIPE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE
NEGATIVE = struct.pack(">B11s", 0xFF, b"\xff" * 8 + struct.pack(">i", -512)[1:])
BAD = {
    "parent folder": (".tar.gz", tar(entry("../evil"))),
    "parent inside": (".tar.gz", tar(entry("set/../../evil"))),
    "absolute": (".tar.gz", tar(entry("/tmp/dlcourse-evil"))),
    "backslash": (".tar.gz", tar(entry("..\\evil"))),
    "drive": (".tar.gz", tar(entry("C:evil"))),
    "home": (".tar.gz", tar(entry("~/evil"))),
    "symbolic link": (".tar.gz", tar(entry("set/l", b"", type=LINK, linkname="/etc/passwd"))),
    "link instead of a file": (
        ".tar.gz", tar(entry("set/a", b"", type=LINK, linkname="/etc/passwd"), good={}),
    ),
    "hard link": (".tar.gz", tar(entry("set/l", b"", type=HARD, linkname="/etc/passwd"))),
    "device": (".tar.gz", tar(entry("set/d", b"", type=DEVICE, devmajor=1, devminor=3))),
    "pipe": (".tar.gz", tar(entry("set/p", b"", type=PIPE))),
    "twice": (".tar.gz", tar(entry("set/a"))),
    "other case": (".tar.gz", tar(entry("SET/A"))),
    "too large": (".tar.gz", tar(good={"set/a": bytes(301)})),
    "bomb": (".tar.gz", tar(entry("set/other", bytes(10**7)))),
    "bomb in a header": (
        ".tar.gz", tar(entry("x" * 10, b"", pax_headers={"comment": "x" * 200_000})),
    ),
    "negative size": (".tar.gz", raw_tar(header(b"set/a", NEGATIVE, b"0"))),
    "unknown kind": (".tar.gz", raw_tar(header(b"set/a", b"0" * 11 + b"\0", b"Z"))),
    "cut": (".tar.gz", tar()[:-20]),
    "no archive": (".tar.gz", b"<html>"),
    "zip: parent folder": (".zip", zipped(("../evil", b"evil"))),
    "zip: absolute": (".zip", zipped(("/tmp/dlcourse-evil", b"evil"))),
    "zip: symbolic link": (".zip", zipped((special("set/l", stat.S_IFLNK), b"/etc/passwd"))),
    "zip: device": (".zip", zipped((special("set/l", stat.S_IFCHR), b""))),
    "zip: other case": (".zip", zipped(("SET/a", b"evil"))),
    "zip: too large": (".zip", zipped(good={"set/a": bytes(301)})),
    "zip: bomb": (".zip", zipped(("set/other", bytes(10**7)))),
    "zip: encrypted": (".zip", encrypted(zipped())),
    "zip: cut": (".zip", zipped()[:-30]),
    "zip: empty": (".zip", b""),
    "gz: bomb": (".gz", gzip.compress(bytes(10**7))),
    "gz: cut": (".gz", gzip.compress(bytes(range(256)))[:-9]),
    "gz: no gz": (".gz", b"PK\3\4"),
}  # fmt: skip


def unpacked(content, suffix, tmp_path, wanted=None):
    (tmp_path / f"archive{suffix}").write_bytes(content)
    into = tmp_path / "new"
    into.mkdir()
    single = {"": Target("a", 300)} if suffix == ".gz" else WANTED
    return unpack(
        tmp_path / f"archive{suffix}", f"archive{suffix}", (wanted or single).get, into, MOST
    )


@pytest.mark.parametrize("case", BAD)
def test_a_bad_archive_is_refused_and_writes_nothing_outside(case, tmp_path):
    suffix, content = BAD[case]
    with pytest.raises(ArchiveError):
        unpacked(content, suffix, tmp_path)
    outside = {path.name for path in tmp_path.iterdir()}
    assert outside == {f"archive{suffix}", "new"}
    inside = [path for path in (tmp_path / "new").rglob("*") if path.name not in ("a", "b")]
    assert inside == []
    assert all(path.is_file() and not path.is_symlink() for path in (tmp_path / "new").iterdir())
    assert not os.path.exists("/tmp/dlcourse-evil")
    assert not os.path.exists(tmp_path.parent / "evil")


@pytest.mark.parametrize(("suffix", "make"), [(".tar.gz", tar), (".zip", zipped)])
def test_only_the_expected_members_are_read(suffix, make, tmp_path):
    other = entry("set/readme.html") if make is tar else ("set/readme.html", b"text")
    sums = unpacked(make(other), suffix, tmp_path)
    assert sums == {"a": sha256(GOOD["set/a"]), "b": sha256(GOOD["set/b"])}
    found = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert found == {"a": GOOD["set/a"], "b": GOOD["set/b"]}


def test_folders_and_long_names_of_real_archives_are_read(tmp_path):
    folder = tarfile.TarInfo("set")
    folder.type = tarfile.DIRTYPE
    long = entry("set/" + "n" * 150)  # an extended header has it
    assert set(unpacked(tar((folder, None), long), ".tar.gz", tmp_path)) == {"a", "b"}


def test_a_compressed_member_is_unpacked_to_its_known_size(tmp_path):
    wanted = {"gzip/a.gz": Target("a", 300)}
    good = {"gzip/a.gz": gzip.compress(bytes(300))}
    assert unpacked(zipped(good=good), ".zip", tmp_path, wanted) == {"a": sha256(bytes(300))}
    (tmp_path / "2").mkdir()
    bomb = {"gzip/a.gz": gzip.compress(bytes(10**6))}
    with pytest.raises(ArchiveError, match="a has more than 300 bytes"):
        unpacked(zipped(good=bomb), ".zip", tmp_path / "2", wanted)


@pytest.mark.parametrize(("suffix", "make"), [(".tar.gz", tar), (".zip", zipped)])
def test_the_number_of_members_is_limited(suffix, make, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_module, "MOST_MEMBERS", 20)
    many = [f"set/{number}" for number in range(20)]
    extra = [entry(name, b"") if make is tar else (name, b"") for name in many]
    with pytest.raises(ArchiveError, match="more than 20 members"):
        unpacked(make(*extra), suffix, tmp_path)
