"""The event file of TensorBoard, written without a thread of its own."""

import os
import socket
import time
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import FileWriter, SummaryWriter

from dlcourse.observe.growing_file import GrowingFile

EVENT_FORMAT = "brain.Event:2"  # of the format of event files
file_numbers = count()  # of the event files of this process

# made when they are imported, which a type checker cannot see
Event: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue]
SessionLog: Any = event_pb2.SessionLog  # pyright: ignore[reportAttributeAccessIssue]


class EventFile:
    """Takes events as TensorBoard's ``EventFileWriter`` does, which writes in a thread.

    On a full disk that thread ends with a traceback, and the file with half a record that hides
    all later ones. Here records are appended whole, and after a refusal once the disk has room.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        host, number = socket.gethostname(), next(file_numbers)
        name = f"events.out.tfevents.{time.time():010.0f}.{host}.{os.getpid()}.{number}"
        self.file, self.buffer = GrowingFile(folder / name), BytesIO()
        self.records = RecordWriter(self.buffer)
        self.add_event(Event(wall_time=time.time(), file_version=EVENT_FORMAT))

    def get_logdir(self) -> str:
        """Return the folder of the file."""
        return str(self.folder)

    def add_event(self, event: Any) -> None:
        """Add an event; it is written with the next ``flush``."""
        self.records.write(event.SerializeToString())

    def flush(self) -> None:
        """Append all events so far to the file."""
        content = self.buffer.getvalue()
        self.buffer.seek(0)
        self.buffer.truncate()
        self.file.append(content)

    def close(self) -> None:
        """Write the last events."""
        self.flush()


class EventWriter(FileWriter):
    """PyTorch's ``FileWriter`` with another event file."""

    def __init__(self, folder: Path) -> None:
        self.event_writer: Any = EventFile(folder)


class Board(SummaryWriter):
    """PyTorch's ``SummaryWriter``, writing into an ``EventFile``.

    purge_step: entries of this step and later ones in earlier files are hidden; None for none.
    """

    def _get_file_writer(self) -> Any:
        if self.file_writer is None:
            writer: Any = EventWriter(Path(self.log_dir))
            self.file_writer, self.all_writers = writer, {self.log_dir: writer}
            if self.purge_step is not None:
                step, self.purge_step = self.purge_step, None
                writer.add_event(Event(step=step, file_version=EVENT_FORMAT))
                start = SessionLog(status=SessionLog.START)
                writer.add_event(Event(step=step, session_log=start))
        return self.file_writer
