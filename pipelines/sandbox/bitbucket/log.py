"""A step's log: from the API while it runs, from an object store once it has ended."""

import re

from .. import script
from ..objects import Build, stable_uuid
from ..script import Run
from ..wire import Answer, Request
from . import errors
from .model import command_of, step_uuid

STORE = "_storage"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")
_READABLE = ("*/*", "application/octet-stream", "application/*", "text/plain")


def content(build: Build, run: Run, now: float) -> str:
    """What was printed until now, with each command behind a plus."""
    if run.started_at is None or run.step.gate or build.pipeline.log_lost:
        return ""
    lines = [f"+ git clone --branch={build.branch!r} --depth 50", f"+ {command_of(run)}"]
    lines += [line for _, line in run.lines(now)]
    if run.state == script.FAILED:
        lines.append("\x1b[31m✖ Command exited with status 1\x1b[0m")
    text = "".join(f"{line}\n" for line in lines)
    for name in build.details.get("secured", ()):
        text = text.replace(build.env[name], f"${name}")
    return text


def answer(request: Request, build: Build, run: Run) -> Answer:
    accept = request.headers.get("Accept", "*/*")
    if not any(kind in accept for kind in _READABLE):
        return errors.error(406, "Not acceptable")
    data = content(build, run, request.instance.now()).encode()
    if not data:
        uuid = step_uuid(build, run)
        return errors.error(404, "Not found", detail=f"Log in step {uuid} does not exist.")
    if run.state in script.FINAL:
        base = f"{_other_host(request.origin)}/{request.instance.prefix}"
        where = f"{base}/{STORE}/{build.pipeline.name}/{build.number}/{run.index}"
        signed = f"{where}?X-Amz-Expires=300&X-Amz-Signature={_signature(build, run)}"
        return Answer(307, headers={"Location": signed})
    return _ranged(request, data)


def _other_host(origin: str) -> str:
    """The same address under its other name: clients drop a credential when the host changes."""
    here, there = ("127.0.0.1", "localhost")
    return origin.replace(here, there) if here in origin else origin.replace(there, here)


def _signature(build: Build, run: Run) -> str:
    return stable_uuid(build.id, run.index, "signature")


def stored(request: Request) -> Answer:
    """The object store: it takes the signature in the address, and no other credential."""
    *name, number, index = request.segments[1:]
    pipeline = request.instance.pipelines.get("/".join(name))
    build = pipeline.builds.get(int(number)) if pipeline and number.isdigit() else None
    if build is None or not index.isdigit():
        return _xml(404, "NoSuchKey")
    now = request.instance.now()
    runs = [run for run in build.at(now).current() if run.index == int(index)]
    if not runs or request.get("X-Amz-Signature") != _signature(build, runs[0]):
        return _xml(403, "SignatureDoesNotMatch")
    if request.headers.get("Authorization"):
        return _xml(400, "InvalidArgument")
    return _ranged(request, content(build, runs[0], now).encode())


def _xml(status: int, code: str) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
    return Answer(status, body, {"Content-Type": "application/xml"})


def _ranged(request: Request, data: bytes) -> Answer:
    headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    match = _RANGE.match(request.headers.get("Range", ""))
    if match is None:
        return Answer(200, data, headers)
    first = int(match[1])
    last = min(int(match[2]), len(data) - 1) if match[2] else len(data) - 1
    if first >= len(data) or last < first:
        return Answer(416, headers={"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Answer(206, data[first : last + 1], headers)
