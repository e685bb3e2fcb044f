"""Log text becomes numbered lines of safe HTML: colours, folds, nothing that a build could smuggle.

Adapters have turned their vendor's own group marks into FOLD_START and FOLD_END.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from ansi2html import Ansi2HTMLConverter
from django.utils.safestring import SafeString, mark_safe

from pipelines.bounds import STEERING
from pipelines.providers.base import FOLD_END, FOLD_START

# Cut lines that no person reads and that would stall a browser.
MAX_LINE = 5_000
MASK = "[masked]"
SHORT = 8  # a shorter secret would be found everywhere

# OSC, APC, DCS, PM and SOS strings: titles, hyperlinks, images; none of them belongs in a page.
# All escapes before one go with it: one left behind would make a new string of what follows. A run
# of escapes is looked at from its first one only, or a log of nothing else would take hours.
_STRINGS = re.compile(r"(?<!\x1b)\x1b++[\]_PX^].*?(?:\x07|\x1b\\|$)", re.DOTALL)
# Colours, cursor movements and single escapes: what is left out of plain text.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -~]?")
# What is left for these and for the lines below; the rest steers terminals and directions.
_STEERING = {code: None for code in STEERING if chr(code) not in "\r\x1b" + FOLD_START + FOLD_END}
_SPAN = re.compile(r"<span class=\"[^\"]*\">|</span>")
_converter = Ansi2HTMLConverter(inline=False, escaped=True)


@dataclass(frozen=True)
class LogLine:
    """One line, numbered from 1; `html` is escaped but for colour spans.

    `fold` is the number of the line that opened the fold it lies in, 0 outside of all.
    """

    number: int
    html: SafeString
    fold: int = 0

    @property
    def opens(self) -> bool:
        """Whether the fold begins with this very line."""
        return self.fold == self.number


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without these values; a line in which one is coloured in parts loses its colours."""
    values = sorted({value for value in secrets if len(value) >= SHORT}, key=len, reverse=True)
    text = _replaced(text, values)
    if _holds(_bare(text), values):
        lines = ((line, _bare(line)) for line in text.split("\n"))
        text = "\n".join(
            _replaced(bare, values) if _holds(bare, values) else line for line, bare in lines
        )
    return text


def _replaced(text: str, values: Iterable[str]) -> str:
    for value in values:
        text = text.replace(value, MASK)
    return text


def _holds(text: str, values: Iterable[str]) -> bool:
    return any(value in text for value in values)


def _bare(text: str) -> str:
    return _ESCAPES.sub("", _STRINGS.sub("", text))


def forms_of(secret: str) -> Iterator[str]:
    """The secret, and what becomes of it in an address and in a Basic header, whatever stands
    before it there; of a short one only itself."""
    yield secret
    if len(secret) < SHORT:
        return
    yield quote(secret, safe="")
    data = secret.encode()
    for before in range(3):
        # Where it begins decides how its bits fall; the signs that it shares with others are left.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[first:last]


def render(text: str, first_line: int = 1, fold: int = 0) -> list[LogLine]:
    """Log text to safe HTML lines; colours that span lines are closed and opened again.

    `fold` is the fold that the text before left open. A line that only closes one is not shown.
    """
    lines: list[LogLine] = []
    kept, folds, _ = _folded(_lines(text), first_line, fold)
    html = _converter.convert("\n".join(kept), full=False, ensure_trailing_newline=False)
    open_spans = ""
    for number, (line, inside) in enumerate(
        zip(html.split("\n"), folds, strict=False), start=first_line
    ):
        whole = open_spans + line
        open_spans = _left_open(whole)
        whole += "</span>" * open_spans.count("<span")
        lines.append(LogLine(number, mark_safe(whole), inside))  # noqa: S308  escaped above
    return lines


def fold_after(text: str, first_line: int, fold: int) -> int:
    """The fold that is still open behind this text."""
    return _folded(_lines(text), first_line, fold)[2]


def plain(text: str) -> str:
    """Log text as a file may hold it: no colours, folds as a heading line."""
    lines, folds, _ = _folded(_lines(text), 1, 0)
    opens = {fold for fold in folds if fold}
    return "".join(
        f"{'--- ' if number in opens else ''}{_ESCAPES.sub('', line)}\n"
        for number, line in enumerate(lines, start=1)
    )


def _lines(text: str) -> list[str]:
    if not text:
        return []
    text = _STRINGS.sub("", text.replace("\r\n", "\n").removesuffix("\n")).translate(_STEERING)
    # A progress bar writes over its own line: what stood last is what a terminal shows.
    return [line.rstrip("\r").rpartition("\r")[2][:MAX_LINE] for line in text.split("\n")]


def _folded(lines: Iterable[str], first_line: int, fold: int) -> tuple[list[str], list[int], int]:
    """The lines that are shown, without marks, the fold of each, and the one still open."""
    kept: list[str] = []
    folds: list[int] = []
    for line in lines:
        if line.startswith(FOLD_END):
            fold = 0
        elif line.startswith(FOLD_START):
            fold = first_line + len(kept)
            kept.append(line.removeprefix(FOLD_START).strip())
            folds.append(fold)
        else:
            kept.append(line)
            folds.append(fold)
    return kept, folds, fold


def _left_open(html: str) -> str:
    spans: list[str] = []
    for match in _SPAN.finditer(html):
        if match[0] == "</span>":
            if spans:
                spans.pop()
        else:
            spans.append(match[0])
    return "".join(spans)
