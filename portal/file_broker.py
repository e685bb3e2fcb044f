"""A broker of files whose messages appear whole.

kombu's own writes a message in place: a worker that looks between its creation and its content
reads half of it and dies (JSONDecodeError in _get), and the message is lost. It also moves what it
reads through the machine's shared temporary folder. Here a message gets its name only when it is
complete, and is taken by a rename inside the broker's folder, which one reader alone can win.
"""

import fcntl
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """kombu's channel with atomic messages; settings are those of kombu's filesystem transport."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        folder = Path(self.data_folder_out)
        # Sorted by name, so the oldest comes first; the clock goes on over a reboot.
        name = f"{time.time_ns():020d}-{uuid.uuid4()}.{queue}.msg"
        draft = folder / f"{name}.part"
        try:
            draft.write_text(dumps(payload), encoding="utf-8")
            draft.rename(folder / name)
        except OSError as error:
            raise ChannelError(f"Cannot write a message below {folder}: {error.strerror}") from None

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(path.name for path in folder.iterdir()):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f"{name}.taken"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another reader was faster
            content = taken.read_bytes()
            taken.unlink()
            message = _message(content)
            if message is not None:
                return message
            logger.warning("the broker's file %r held no message and was dropped", name)
        raise Empty

    # Which queues an exchange has, stands in a file that is rewritten in place: one at a time.
    def get_table(self, exchange: str) -> Any:
        with self._one_at_a_time():
            return super().get_table(exchange)

    def _queue_bind(self, *args: Any) -> None:
        with self._one_at_a_time():
            super()._queue_bind(*args)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with (Path(self.control_folder) / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _message(content: bytes) -> dict[str, Any] | None:
    """None for what is none: a power cut may leave an empty file under a whole message's name."""
    try:
        message = loads(content.decode())
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


class Transport(filesystem.Transport):
    """Takes the place of kombu's `filesystem://` (see portal/celery.py)."""

    Channel = Channel
