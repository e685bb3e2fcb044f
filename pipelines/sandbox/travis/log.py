"""A job's log: folds, timings and colours; whole as text and JSON, growing in numbered parts."""

import zlib
from dataclasses import dataclass

from .. import script
from ..objects import Build
from ..script import Run
from ..wire import Answer, Request, text_answer
from . import errors, ids
from .listing import resource
from .model import Model

_ERASE = "\r\x1b[0K"


@dataclass(frozen=True)
class Part:
    number: int
    content: str
    final: bool = False


def _fold(word: str, name: str) -> str:
    return f"travis_fold:{word}:{name}{_ERASE}"


def _timed(build: Build, run: Run, command: str, name: str) -> tuple[str, str]:
    """What stands before a command's output and behind it."""
    mark = f"{zlib.crc32(f'{build.id} {run.index} {name}'.encode()):08x}"
    began = round((run.started_at or 0) * 1e9)
    end = f"travis_time:end:{mark}:start={began},finish={began + 1000},duration=1000{_ERASE}"
    return f"travis_time:start:{mark}{_ERASE}$ {command}\n", end


def parts(build: Build, run: Run, now: float) -> list[Part]:
    """What the worker has sent until now; the last part is marked."""
    if run.started_at is None or build.pipeline.log_lost:
        return []
    start, end = _timed(build, run, f"git clone --branch={build.branch}", "git")
    command = f"./ci/{run.step.name.lower().replace(' ', '-')}.sh"
    begin, done = _timed(build, run, command, "script")
    texts = [
        f"{_fold('start', 'worker_info')}\x1b[33;1mWorker information\x1b[0m\n"
        f"hostname: worker-1\n{_fold('end', 'worker_info')}",
        f"{_fold('start', 'git.checkout')}{start}Cloning\rCloning, done\n"
        f"{end}{_fold('end', 'git.checkout')}{begin}",
        *(f"{line}\n" for _, line in run.lines(now)),
    ]
    over = run.finished_at is not None
    if over:
        code = 0 if run.state == script.PASSED else 1
        texts.append(
            f'{done}\x1b[3{2 - code}mThe command "{command}" exited with {code}.\x1b[0m\n'
            f"\nDone. Your build exited with {code}.\n"
        )
    last = len(texts) - 1
    return [Part(n, text, final=over and n == last) for n, text in enumerate(texts)]


def answer(request: Request, model: Model, build: Build, run: Run, form: str) -> Answer:
    """`log`, `log.txt` or `log_parts`; 404 before the job begins."""
    found = parts(build, run, request.instance.now())
    if not found:
        return errors.not_found("log")
    if form == "log.txt":
        return text_answer("".join(part.content for part in found))
    number = ids.job_id(request.instance, build, run.index)
    if form == "log_parts":
        after = ids.whole(request.get("after"))
        rows = [part for part in found if after is None or part.number > after]
        content = request.get("content") == "true"
        shown = model.tag("log_parts", f"/job/{number}/log_parts", "standard")
        return resource(shown | {"log_parts": [_shown(part, content=content) for part in rows]})
    whole = "".join(part.content for part in found)
    shown = model.tag("log", f"/job/{number}/log", "standard", id=number, content=whole)
    return resource(
        shown
        | {
            "@permissions": {"read": True, "delete_log": model.may("push"), "debug": False},
            # Once a log is put away it is one part.
            "log_parts": [_shown(Part(0, whole, final=found[-1].final), content=True)],
            "@raw_log_href": f"/v3/job/{number}/log.txt",
        }
    )


def _shown(part: Part, *, content: bool) -> dict[str, object]:
    shown: dict[str, object] = {"number": part.number, "final": part.final}
    return shown | ({"content": part.content} if content else {})
