"""What a page of Markdown is called, told from its lines alone.

The worker asks this of every page that it reads; the library that lays pages out would stay in its
memory for nothing else.
"""

import re

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = re.compile(r" {0,3}#[ \t]")
UNDERLINE = re.compile(r" {0,3}=+[ \t]*$")
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"^title:[ \t]*(\S.*)$", re.MULTILINE)
# [words](address), ![words](address), [words][name]; `code`, *emphasis* and the like.
LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
MARKS = re.compile(r"[*`~]+|(?<!\w)_+|_+(?!\w)|<[^<>]*>")
# A title stands at the beginning of a page.
SEARCHED_LINES = 2_000
SEARCHED_LINE = 1_000
LONGEST = 200


def title_of(text: str, path: str) -> str:
    """The first heading of the first level, else the front matter's title, else the file's name."""
    front = FRONT_MATTER.match(text[:10_000])
    heading = _heading(text[front.end() :] if front else text)
    if heading:
        return heading
    if front and (found := TITLE.search(front[1])):
        return found[1].strip(" \"'\t")[:LONGEST]
    folder, _, name = path.removesuffix(".md").rpartition("/")
    if name.lower() == "index" and folder:
        name = folder.rpartition("/")[2]
    return "README" if name.lower() == "readme" else name.replace("-", " ").replace("_", " ")


def _heading(text: str) -> str:
    """Of lines that are not code."""
    fence, before = "", ""
    for whole in text.split("\n", SEARCHED_LINES)[:SEARCHED_LINES]:
        line = whole[:SEARCHED_LINE].rstrip("\r")
        found = FENCE.match(line)
        if fence:
            fence = "" if found and found[1].startswith(fence) else fence
            continue
        if found:
            fence, before = found[1], ""
            continue
        words = ""
        if HEADING.match(line):
            words = _words(line.strip().strip("#"))
        elif UNDERLINE.match(line):
            words = _words(before)
        if words:
            return words
        before = "" if line.startswith(("#", "    ", "\t")) else line.strip()
    return ""


def _words(line: str) -> str:
    """Without what only makes it look different."""
    return " ".join(MARKS.sub("", LINK.sub(r"\1", line)).split())[:LONGEST]
