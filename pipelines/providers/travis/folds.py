"""The text of a Travis CI log as people read it: folds understood, timings and overwriting gone.

Works line by line, so that a log read in pieces of whole lines gives the same as the whole.
"""

import re

from pipelines.providers.base import FOLD_END, FOLD_START
from pipelines.providers.logs import unmarked

# `travis_fold:start:git.checkout\r\033[0K`, and `travis_time:…` alike, anywhere in a line.
_MARK = re.compile(r"travis_(fold|time):(start|end):([^\s\x1b]*)\r?(?:\x1b\[0?K)?")
_ERASE = re.compile(r"\x1b\[[0-2]?K")


def readable(raw: str) -> str:
    """Log text that begins with a line."""
    if not raw:
        return ""
    whole = raw.endswith("\n")
    lines = [_line(line) for line in raw.removesuffix("\n").split("\n")]
    return "\n".join(lines) + ("\n" if whole else "")


def _line(raw: str) -> str:
    """One line; marks of folds stand on lines of their own."""
    raw = unmarked(raw)
    shown: list[str] = []
    begin, between = 0, ""
    for mark in _MARK.finditer(raw):
        between += raw[begin : mark.start()]
        begin = mark.end()
        if mark[1] == "fold":
            shown += [text] if (text := _overwritten(between)) else []
            between = ""
            shown.append(FOLD_START + mark[3] if mark[2] == "start" else FOLD_END)
    rest = _overwritten(between + raw[begin:])
    return "\n".join([*shown, rest] if rest or not shown else shown)


def _overwritten(line: str) -> str:
    """What a terminal shows of a line that writes over itself."""
    return _ERASE.sub("", line.rstrip("\r").rpartition("\r")[2])
