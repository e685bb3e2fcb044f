"""The broker of files, with many writers and readers at once."""

import threading
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from portal.celery import app

MESSAGES = 300


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    queue = str(tmp_path / "queue")
    return {
        "data_folder_in": queue,
        "data_folder_out": queue,
        "control_folder": str(tmp_path / "control"),
    }


def channel(options: dict[str, str]) -> Any:
    return Connection("filesystem://", transport_options=options).channel()


def test_celery_uses_it() -> None:
    with app.connection_for_write() as connection:
        assert type(connection.transport).__module__ == "portal.file_broker"


def test_messages_come_out_oldest_first(options: dict[str, str]) -> None:
    for number in range(20):
        channel(options)._put("work", {"number": number})
    reader = channel(options)
    assert [reader._get("work")["number"] for _ in range(20)] == list(range(20))
    with pytest.raises(Empty):
        reader._get("work")


def test_a_queue_gets_only_its_own_messages(options: dict[str, str]) -> None:
    channel(options)._put("other", {"number": 1})
    with pytest.raises(Empty):
        channel(options)._get("work")
    assert channel(options)._get("other") == {"number": 1}


def test_a_message_that_is_being_written_is_left_alone(options: dict[str, str]) -> None:
    seen: list[str] = []

    class Payload:
        def __json__(self) -> dict[str, int]:
            """Called while the message is being written: somebody reads at this moment."""
            try:
                seen.append(channel(options)._get("work"))
            except Empty:
                seen.append("nothing there")
            return {"number": 1}

    channel(options)._put("work", Payload())
    assert seen == ["nothing there"]
    assert channel(options)._get("work") == {"number": 1}


@pytest.mark.parametrize("text", [b"", b'{"number":', b"\xff", b"[1]"])
def test_a_file_that_holds_no_message_is_dropped(options: dict[str, str], text: bytes) -> None:
    (Path(options["data_folder_in"]) / "0.work.msg").write_bytes(text)
    channel(options)._put("work", {"number": 1})
    assert channel(options)._get("work") == {"number": 1}


def test_what_a_killed_writer_left_is_no_message(options: dict[str, str]) -> None:
    (Path(options["data_folder_in"]) / "00000-x.work.msg.part").write_text('{"num')
    with pytest.raises(Empty):
        channel(options)._get("work")


def test_many_writers_and_readers_lose_nothing_and_take_nothing_twice(
    options: dict[str, str],
) -> None:
    written = threading.Event()
    got: list[int] = []
    errors: list[Exception] = []

    def write(first: int) -> None:
        own = channel(options)
        for number in range(first, first + MESSAGES):
            own._put("work", {"number": number, "padding": "x" * 4096})

    def read() -> None:
        own = channel(options)
        while True:
            done = written.is_set()
            try:
                got.append(own._get("work")["number"])
            except Empty:
                if done:
                    return
            except Exception as error:
                errors.append(error)
                return

    writers = [threading.Thread(target=write, args=(at * MESSAGES,)) for at in range(3)]
    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    written.set()
    for thread in readers:
        thread.join()
    assert errors == []
    assert sorted(got) == list(range(3 * MESSAGES))


def test_many_may_bind_at_once(options: dict[str, str]) -> None:
    errors: list[Exception] = []

    def bind() -> None:
        try:
            own = channel(options)
            own._queue_bind("tasks", "work", "", "work")
            assert [entry.queue for entry in own.get_table("tasks")] == ["work"]
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=bind) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
