"""The small pages for people behind a build's link: what it is, its parameters, steps and log."""

from collections.abc import Iterable, Mapping
from html import escape

from .objects import Build, Pipeline
from .script import Run
from .wire import Answer, html_answer

STYLE = b"""body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
pre{background:#111;color:#eee;padding:1rem;overflow:auto}th{text-align:left;padding-right:1.5rem;
vertical-align:top}small{color:#666}"""
STYLE_PATH = "_sandbox.css"
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'self'"}


def page(title: str, body: str, headers: Mapping[str, str] | None = None) -> Answer:
    """A whole page; `body` is HTML, already escaped."""
    return html_answer(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f'<link rel=stylesheet href="/{STYLE_PATH}"><body><h1>{escape(title)}</h1>{body}'
        "<p><small>Sandbox CI: a stand-in for demonstrations and tests.</small></p>",
        headers=_HEADERS | dict(headers or {}),
    )


def table(rows: Iterable[tuple[str, object]]) -> str:
    cells = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>"
        for name, value in rows
        if value not in (None, "")
    )
    return f"<table>{cells}</table>"


def links(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of (address, text)."""
    items = "".join(f'<li><a href="{escape(href)}">{escape(text)}</a></li>' for href, text in pairs)
    return f"<ul>{items}</ul>"


def build_page(
    build: Build, now: float, log: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """One build: state, who, branch, commit, what was handed to it, its steps and its log."""
    seen = build.at(now)
    facts: list[tuple[str, object]] = [
        ("State", seen.state),
        ("Branch", build.branch),
        ("Commit", build.commit),
        ("Message", build.message),
        ("Started by", build.who.name if build.who else ""),
    ]
    given = {**build.shown_parameters(), **build.env, **build.meta_data}
    steps = [(run.step.name, run.state) for run in _shown(seen.runs)]
    body = (
        table(facts)
        + ("<h2>Parameters</h2>" + table(sorted(given.items())) if given else "")
        + "<h2>Steps</h2>"
        + table(steps)
        + f"<h2>Log</h2><pre>{escape(log)}</pre>"
    )
    return page(f"{build.pipeline.name} #{build.number}", body, headers)


def _shown(runs: tuple[Run, ...]) -> list[Run]:
    return [run for run in runs if not run.retried]


def pipeline_page(
    pipeline: Pipeline,
    builds: Iterable[tuple[str, str]],
    headers: Mapping[str, str] | None = None,
) -> Answer:
    facts = [("Repository", pipeline.repository), ("Description", pipeline.description)]
    return page(pipeline.name, table(facts) + "<h2>Builds</h2>" + links(builds), headers)
