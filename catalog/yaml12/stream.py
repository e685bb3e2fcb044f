"""Cuts a YAML stream into documents, before any of them is parsed.

A line of `---` or `...` at the margin can't stand inside any scalar (YAML 1.2.2, 9.1.2), so this
needs no parser; and a document that is parsed for itself can't hide its neighbours when broken.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_BYTES = 5_000_000

_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_CONTENT = re.compile(r"^(?:[^ \t\r\n#%]|[ \t]+[^ \t\r\n#])", re.MULTILINE)
_VERSION = re.compile(r"[0-9]+\.[0-9]+")
_DIRECTIVE = re.compile(r"^%.*$", re.MULTILINE)
# Characters that libyaml refuses or takes for line breaks, and that YAML 1.2 (as npm's `yaml`
# reads it) keeps as they are. They are moved to plane 16 while libyaml looks at the text.
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\r(?!\n)", re.ASCII
)
_MOVED = re.compile("[\U00100000-\U0010ffff]")
# "\ud83d\ude00" is one character to JSON and to JavaScript, and an error to libyaml; the
# backslash is moved, unless it is itself escaped.
_SURROGATE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?=u[dD][89a-fA-F][0-9a-fA-F]{2})")
_MOVED_ESCAPE = re.compile("\U0010005cu([0-9a-fA-F]{4})")
_PLANE_16 = 0x100000


class YamlError(Exception):
    """What is wrong in a YAML text, as a sentence for its author; line and column are 1-based."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        # A message may quote the file, and has to be stored and printed.
        self.message = message.encode(errors="backslashreplace").decode().replace("\0", "\\0")
        super().__init__(self.message)
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Segment:
    """The text of one document. `first_line` is where `text` starts in the file (1-based)."""

    text: str
    first_line: int
    last_line: int
    line: int  # where the document's own content starts
    version: str = "1.2"
    shielded: bool = False
    empty: bool = False
    error: YamlError | None = None


def decode(data: bytes) -> tuple[str, list[YamlError]]:
    """The text, and an error for each line that is not UTF-8 (its bad bytes read as U+FFFD).

    Raises YamlError where nothing of the file can be read.
    """
    if len(data) > MAX_BYTES:
        raise YamlError(
            f"The file has {len(data):,} bytes; at most {MAX_BYTES:,} are read. Split it into "
            "several files, or put long texts into files of their own and name them with $text."
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise YamlError("The file is UTF-16; save it as UTF-8.")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode(), []
    except UnicodeDecodeError:
        lines = enumerate(data.split(b"\n"), start=1)
        errors = [error for number, line in lines if (error := _bad_byte(number, line))]
        return data.decode(errors="replace"), errors


def _bad_byte(number: int, line: bytes) -> YamlError | None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode()) + 1
        return YamlError(
            f"Byte 0x{line[error.start]:02X} is not UTF-8 (the file may be Latin-1 or "
            "Windows-1252); save the file as UTF-8.",
            number,
            column,
        )
    return None


def segments(text: str) -> Iterator[Segment]:
    """The documents of a stream in order, empty ones included; markers stay in their text."""
    text, shielded = _shield(text)
    stream = _Stream(text, shielded)
    start, opened = 0, False
    for marker in _MARKER.finditer(text):
        begun = opened or bool(_CONTENT.search(text, start, marker.start()))
        if begun:
            yield stream.segment(start, marker.start(), opened)
        if marker.group() == "---":
            # What precedes the marker without being content is its directives and comments.
            start = marker.start() if begun else start
            opened = True
        else:
            stream.end_marker(begun, marker.start())
            start, opened = marker.end(), False
    if not text.endswith("\n"):
        stream.text += "\n"  # a block scalar at the very end keeps its line break, as in Backstage
    if opened or _CONTENT.search(text, start):
        yield stream.segment(start, len(stream.text), opened)


class _Stream:
    """What carries over from one document to the next: lines counted, and the YAML version."""

    def __init__(self, text: str, shielded: bool) -> None:
        self.text = text
        self.shielded = shielded
        self.version = "1.2"
        self.seen = 0
        self.lines_before = (0, 0)  # position, number of line breaks before it
        self.stray_end: YamlError | None = None

    def line_at(self, position: int) -> int:
        counted, lines = self.lines_before
        if position < counted:
            return self.text.count("\n", 0, position) + 1
        lines += self.text.count("\n", counted, position)
        self.lines_before = (position, lines)
        return lines + 1

    def end_marker(self, begun: bool, position: int) -> None:
        if not begun and not self.seen:
            message = 'There is no document before this "..." line; remove it.'
            self.stray_end = YamlError(message, self.line_at(position))

    def segment(self, start: int, end: int, opened: bool) -> Segment:
        """The document between two positions; `opened` says that a `---` line began it."""
        body = start
        if opened:
            marker = _MARKER.search(self.text, start)
            body = marker.end() if marker else start
        elif content := _CONTENT.search(self.text, start, end):
            body = content.start()
        first_line = self.line_at(start)
        error, self.stray_end = self.stray_end, None
        prelude = self.text[start:body]
        try:
            prelude = self._directives(prelude, opened)
        except YamlError as refused:
            error = YamlError(refused.message, first_line)
        content = _CONTENT.search(self.text, body, end)
        line = self.line_at(content.start() if content else body)
        self.seen += 1
        return Segment(
            text=prelude + self.text[body:end],
            first_line=first_line,
            last_line=self.line_at(end),
            line=line,
            version=self.version,
            shielded=self.shielded,
            empty=not content and not self.text[body:end].strip(" \t\r\n"),
            error=error,
        )

    def _directives(self, prelude: str, opened: bool) -> str:
        """The prelude as libyaml may see it. Raises YamlError.

        npm's `yaml` only warns of versions and directives it doesn't know, libyaml stops; so all
        but %TAG become comments. A stream stays YAML 1.1 until another directive comes, as there.
        """
        directives = _DIRECTIVE.findall(prelude)
        if directives and not opened:
            raise YamlError(f'Write a line "---" between "{directives[0][:80]}" and the document.')
        for directive in directives:
            name, *words = directive.split(" #")[0].split()
            if name == "%YAML" and words in (["1.1"], ["1.2"]):
                self.version = words[0]
            elif name == "%YAML" and not (len(words) == 1 and _VERSION.fullmatch(words[0])):
                raise YamlError(f'"{directive[:80]}" is no version; write %YAML 1.2.')
        return _DIRECTIVE.sub(
            lambda m: m.group() if m.group().startswith("%TAG") else "#" + m.group()[1:], prelude
        )


def _shield(text: str) -> tuple[str, bool]:
    """Moves odd characters out of libyaml's sight; one for one, so that places stay right."""
    if "\\" not in text and text.replace("\n", "").isprintable():
        return text, False  # nearly every file, and this is much quicker than to search it
    if _MOVED.search(text) or not (_ODD.search(text) or _SURROGATE.search(text)):
        return text, False
    text = _SURROGATE.sub(lambda match: match.group(1) + chr(ord("\\") + _PLANE_16), text)
    return _ODD.sub(lambda match: chr(ord(match.group()) + _PLANE_16), text), True


def unshield(text: str, double_quoted: bool) -> str:
    """Undoes `_shield` in a scalar of a shielded segment. Halves of a pair may remain."""
    if double_quoted and _MOVED_ESCAPE.search(text):
        text = _MOVED_ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _MOVED.sub(lambda match: chr(ord(match.group()) - _PLANE_16), text)
