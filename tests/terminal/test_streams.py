"""A command in an unusual environment: streams, encodings, variables, folders."""

import io
import os
import subprocess
import sys

import pytest

from dlcourse.terminal.command import one_message
from dlcourse.terminal.streams import SafeStream

SAY = (
    "import os, sys; from dlcourse.terminal.command import one_message\n"
    "with one_message():\n"
    "    print('5 ± 1 ━━── 猫 ' + os.fsdecode(b'\\xe9'), flush=True)\n"
    "    print('noted', file=sys.stderr); print('again')\n"
    "    import subprocess; child = 'import sys; sys.stdout.fileno() + sys.stderr.fileno()'\n"
    "    subprocess.run([sys.executable, '-S', '-c', child], check=True)\n"
    "    open('file', 'w').write('done')"
)


def ended(tmp_path, shell, **variables):
    """Run a command that prints, with a shell's redirections; return the finished process."""
    command = ["bash", "-c", f'"$0" -c "$1" {shell}', sys.executable, SAY]
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)


@pytest.mark.parametrize(
    "shell",
    [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", ">/dev/full 2>&1", "| true", ">&2 2>&-"],
)
def test_a_command_succeeds_with_closed_full_or_broken_streams(shell, tmp_path):
    process = ended(tmp_path, f"{shell}; exit ${{PIPESTATUS[0]}}")
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "file").read_text() == "done", "printed text must not end up in the file"
    assert b"Traceback" not in process.stderr + process.stdout
    assert b"Exception ignored" not in process.stderr


def test_without_one_message_the_same_command_fails(tmp_path):
    command = [sys.executable, "-c", "print('5 ± 1'); open('file', 'w').write('done')"]
    environment = {"PYTHONIOENCODING": "ascii"}
    assert subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True).returncode


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", b"5 +- 1 ==-- \\u732b \xe9\n"),
        ("latin-1", b"5 \xb1 1 ==-- \\u732b \\udce9\n"),
        ("cp1252", b"5 \xb1 1 ==-- \\u732b \\udce9\n"),
        ("utf-8", "5 ± 1 ━━── 猫 ".encode() + b"\xe9\n"),
    ],
)
def test_characters_that_an_encoding_lacks_are_replaced(encoding, expected, tmp_path):
    process = ended(tmp_path, "", PYTHONIOENCODING=encoding)
    assert process.stdout == expected + b"again\n"
    assert process.returncode == 0


def test_after_a_stream_breaks_all_writes_to_it_are_dropped(tmp_path):
    reader, writer = os.pipe()
    stream = SafeStream(os.fdopen(writer, "w"))
    assert stream.write("heard\n") == 6
    stream.flush()
    os.close(reader)
    stream.write("lost\n")
    stream.flush()
    os.write(stream.fileno(), b"by a library, without Python")
    stream.stream.close()
    stream.write("lost\n")
    stream.flush()
    stream.stream.close()


def test_a_command_restores_the_streams(monkeypatch):
    own = io.StringIO()
    monkeypatch.setattr(sys, "stdout", own)
    with one_message():
        print("said")
    assert sys.stdout is own
    assert own.getvalue() == "said\n"


def test_a_command_runs_without_any_streams(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    with one_message():
        print("said")
        assert [sys.stdout.fileno(), sys.stderr.fileno()] == [1, 2]


@pytest.mark.parametrize("value", ["", "0", "00", "wide", "-3", "８"])
def test_an_invalid_terminal_width_is_ignored(value, monkeypatch):
    monkeypatch.setenv("COLUMNS", value)
    with one_message():
        assert "COLUMNS" not in os.environ


def test_variables_of_other_programs_do_not_affect_matplotlib_or_the_data(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://not_there")
    monkeypatch.setenv("DLCOURSE_DATA", "")
    monkeypatch.setenv("COLUMNS", "97")
    with one_message():
        assert os.environ["MPLBACKEND"] == "agg"
        assert "DLCOURSE_DATA" not in os.environ
        assert os.environ["COLUMNS"] == "97"


def test_a_deleted_folder_gets_one_message(tmp_path, capsys, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SystemExit) as end, one_message():
        raise AssertionError("never")
    monkeypatch.chdir(tmp_path)
    assert end.value.code == 2
    assert "has been deleted" in capsys.readouterr().err
