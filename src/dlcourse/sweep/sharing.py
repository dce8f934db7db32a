"""Several commands that share the jobs of one sweep's folder, on one machine or on several.

Every command has a file in ``.shared/commands``, which it keeps locked and touches every ``BEAT``
seconds. It claims a job by creating ``.shared/claims/<job>.1`` with ``O_EXCL``: of all commands on
all machines only one can, also on NFS. When the command that has claimed a job is gone, the next
claim is ``<job>.2``, which again only one can create. No claim is ever removed or renamed while a
command runs, so that two commands cannot both take over the same job.

A command is gone when its file has been deleted. On the same machine it is also gone when its file
is no longer locked, which the system ensures however it ends. On another machine it is gone when
its file was not touched for ``SILENT`` seconds, by the clock of the disk's server alone. A command
that could not touch its own file for ``LOST`` seconds, which is less, stops its jobs by itself.
"""

import json
import os
import platform
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import filelock

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.terminal.installed import short_path

try:
    import fcntl
except ImportError:  # Windows: only the time of the last touch is known
    fcntl = None

BEAT = 10.0  # seconds between two touches of a command's file
SILENT = 120.0  # seconds without a touch after which a command on another machine is gone
LOST = 60.0  # seconds without a touch after which a command stops its own jobs
ENTRY_TIMEOUT = 60.0  # seconds to wait for another command that is entering or leaving


class Command(NamedTuple):
    """A command that runs a sweep.

    machine: identifies the running system, so that the same name on another one is not mistaken.
    locked: whether its file is locked. alone: whether no other command may join.
    """

    token: str
    host: str
    pid: int
    machine: str
    locked: bool
    alone: bool

    @property
    def label(self) -> str:
        """The command for the user, ``node3, pid 4711``."""
        return f"{self.host}, pid {self.pid}"


class Sharing:
    """Claims jobs for a command, and finds out which of the other commands are gone.

    folder: the sweep's. others: the commands that ran when this one started.
    """

    def __init__(self, folder: Path, *, alone: bool) -> None:
        self.commands, self.claims = folder / ".shared/commands", folder / ".shared/claims"
        self.folder = folder
        self.token = f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.path = self.commands / self.token
        self.others: list[Command] = []
        self.touched = clock()
        self.removed = False
        self.file = self.enter(alone)
        self.stopped = threading.Event()
        threading.Thread(target=self.keep_touching, daemon=True).start()

    def enter(self, alone: bool) -> int:
        """Write this command's file, and remove what commands that are gone have left.

        Returns the file descriptor, whose lock ends with the process at the latest. Raises
        UserError if another command runs, and one of the two runs alone.
        """
        with entering(self.folder):
            self.commands.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            own = (self.token, platform.node(), os.getpid(), machine(), lock_file(file), alone)
            os.write(file, atomic_files.to_json(own).encode())
            os.fsync(file)
            self.others = [one for one in self.running() if one.token != self.token]
            if self.others and (alone or self.others[0].alone):
                os.close(file)
                self.path.unlink()
                raise UserError(
                    f"Another process is using {short_path(self.folder)} "
                    f"({self.others[0].label}); wait for it or stop it.\n"
                    f"If its machine is gone, type this again after {SILENT:.0f} seconds"
                )
            if not self.others:
                shutil.rmtree(self.claims, ignore_errors=True)
            self.claims.mkdir(exist_ok=True)
        return file

    def leave(self) -> None:
        """Remove this command's file, and everything if it is the last command."""
        self.stopped.set()
        with suppress(OSError):
            os.close(self.file)
        with suppress(OSError, UserError), entering(self.folder):
            self.path.unlink(missing_ok=True)
            if not self.running():
                shutil.rmtree(self.commands.parent, ignore_errors=True)

    def running(self) -> list[Command]:
        """Return the commands that run; the files of the others are removed."""
        found = []
        for path in sorted(self.commands.iterdir()):
            command = self.read(path)
            if command is not None:
                found.append(command)
            else:
                path.unlink(missing_ok=True)
        return found

    def read(self, path: Path) -> Command | None:
        """Return the command whose file this is; None if it is gone."""
        try:
            file = os.open(path, os.O_RDONLY)  # on NFS, opening a file reads its state again
        except OSError:
            return None
        try:
            command = Command(*json.loads(os.read(file, 10_000)))
            if command.token == self.token:
                return command
            if command.machine == machine() and command.locked:
                return None if lock_file(file, shared=True) else command
            self.touch()
            age = os.stat(self.path).st_mtime - os.fstat(file).st_mtime
            return command if age < SILENT else None
        except (OSError, ValueError, TypeError):
            return None
        finally:
            os.close(file)

    def touch(self) -> None:
        """Set the time of this command's file, by the clock of the disk's server."""
        try:
            os.utime(self.path)
            self.touched = clock()
        except FileNotFoundError:
            self.removed = True
        except OSError:
            pass

    def keep_touching(self) -> None:
        """Touch this command's file until it leaves."""
        while not self.stopped.wait(BEAT):
            self.touch()

    def refuse_if_lost(self) -> None:
        """Raise UserError if other commands may have taken over this command's jobs."""
        if self.removed or clock() - self.touched > LOST:
            raise UserError(
                f"This command did not reach {short_path(self.folder)} for {LOST:.0f} seconds, so "
                "that another one may take over its jobs: they are stopped.\n"
                "Type the command again to join the others"
            )

    def last_claim(self, name: str) -> tuple[int, str]:
        """Return the number of a job's last claim and who made it; 0 and an empty text without."""
        number, owner = 0, ""
        while True:
            try:
                owner = (self.claims / f"{name}.{number + 1}").read_text(encoding="utf-8")
            except FileNotFoundError:
                return number, owner
            number += 1

    def claim(self, name: str) -> bool:
        """Claim a job by the name of its folder; return whether this command has it now."""
        self.refuse_if_lost()
        number, owner = self.last_claim(name)
        if owner == self.token:
            return True
        if number and self.has_owner(name):
            return False
        try:
            path = self.claims / f"{name}.{number + 1}"
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        os.write(file, self.token.encode())
        os.close(file)
        return True

    def has_owner(self, name: str) -> bool:
        """Return whether a command that is not gone has claimed the job."""
        number, owner = self.last_claim(name)
        if number == 0:
            return False
        if owner:
            return self.read(self.commands / owner) is not None
        with suppress(OSError):  # it has just been created, or its command died at this moment
            self.touch()
            created = os.stat(self.claims / f"{name}.{number}").st_mtime
            return os.stat(self.path).st_mtime - created < SILENT
        return False

    def note_failure(self, name: str) -> None:
        """Record that a job which this command has claimed has failed, for the other commands."""
        with suppress(OSError):
            number, _ = self.last_claim(name)
            (self.claims / f"{name}.{number}.failed").touch()

    def has_failed(self, name: str) -> bool:
        """Return whether another command has recorded that a job failed."""
        number, _ = self.last_claim(name)
        return (self.claims / f"{name}.{number}.failed").exists()


@contextmanager
def joined_sweep(folder: Path, *, alone: bool) -> Iterator[Sharing]:
    """Take part in a sweep while the block runs.

    alone: whether no other command may run at the same time. Raises UserError if one does.
    """
    sharing = Sharing(folder, alone=alone)
    try:
        yield sharing
    finally:
        sharing.leave()


@contextmanager
def entering(folder: Path) -> Iterator[None]:
    """Let one command at a time enter or leave a sweep; raises UserError after a minute."""
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / ".hydra/lock", timeout=ENTRY_TIMEOUT):
            yield
    except filelock.Timeout as error:
        raise UserError(f"Another process is using {folder}; wait for it or stop it.") from error


def lock_file(file: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; return whether it is locked now.

    shared: several processes can have such a lock at a time, but none next to the other kind.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def machine() -> str:
    """Return a text that identifies the running system, different after each start of Linux."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{platform.node()}-{uuid.getnode():x}"


def clock() -> float:
    """Return seconds that also pass while the machine sleeps."""
    sleeping = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if sleeping is None else time.clock_gettime(sleeping)
