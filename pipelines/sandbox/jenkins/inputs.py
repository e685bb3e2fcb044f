"""Answering an input step: what is sent by its form, by `proceedEmpty` and by `abort`."""

import json

from ..objects import Build, Parameter, Token
from ..script import WAITING, Run
from ..wire import Answer, Request
from . import names, pages
from .actions import input_id, inputs_of


class Refused(Exception):
    """A value does not fit."""


def answer(request: Request, token: Token, build: Build, wanted: str, action: str) -> Answer:
    """302 to the run, or 400 when it was settled already or a value does not fit."""
    run = _open(request, build, wanted)
    if run is None:
        return pages.failure_page(request.instance, "This input request was settled already")
    if action == "abort":
        request.instance.cancel(build, f"Rejected by {token.person.name}")
        return _back(request, build)
    if action not in ("proceedEmpty", "submit"):
        return pages.not_found(request)
    form = dict(request.form())
    if action == "submit" and "proceed" not in form:
        request.instance.cancel(build, f"Rejected by {token.person.name}")
        return _back(request, build)
    try:
        values = _values(inputs_of(run), form.get("json", "")) if action == "submit" else {}
    except Refused as refused:
        return pages.failure_page(request.instance, str(refused))
    build.meta_data |= values
    request.instance.unblock(build, run.index, token.person)
    return _back(request, build)


def _open(request: Request, build: Build, wanted: str) -> Run | None:
    runs = build.at(request.instance.now()).runs
    waiting = {input_id(run.index): run for run in runs if run.state == WAITING}
    return waiting.get(wanted)


def _back(request: Request, build: Build) -> Answer:
    path = f"{names.path_of(build.pipeline.name)}{build.number}/"
    return Answer(302, headers={"Location": f"{request.base}/{path}"})


def _values(declared: list[Parameter], text: str) -> dict[str, str]:
    """What is kept of the answer, as a step's result; Jenkins keeps what was not sent out."""
    known = {parameter.name: parameter for parameter in declared}
    try:
        entries = json.loads(text or "{}").get("parameter", [])
        sent = {entry["name"]: entry["value"] for entry in entries}
    except (ValueError, AttributeError, KeyError, TypeError):
        raise Refused("The form can't be read") from None
    values = {}
    for name, value in sent.items():
        if name not in known:
            raise Refused(f"No such parameter definition: {name}")
        if known[name].type == "boolean" and not isinstance(value, bool):
            raise Refused(f"{name} is no boolean")
        if known[name].choices and value not in known[name].choices:
            raise Refused(f"Illegal choice for parameter {name}: {value}")
        values[name] = json.dumps(value) if isinstance(value, bool) else str(value)
    return values
