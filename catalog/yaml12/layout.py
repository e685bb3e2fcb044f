"""Holds continued lines to the indentation that YAML 1.2 asks for, where libyaml is lenient.

A quoted text or a flow collection that goes over several lines must stay indented more than the
key or dash it belongs to. libyaml reads on regardless; Backstage's parser stops there.
"""

from catalog.yaml12.stream import Segment, YamlError


class Layout:
    """The lines of one document; line numbers here are libyaml's, from 0."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._lines: list[str] = []

    def check_indent(self, first: int, last: int, needed: int, flow: bool) -> None:
        """Raises YamlError if a line behind `first`, to `last`, has fewer than `needed` spaces.

        Blank lines are exempt; in a flow collection comments are, and its closing bracket may
        stand one column less deep (npm's `yaml`, parseFlowCollection).
        """
        if not self._lines:
            self._lines = self.segment.text.split("\n")
        for number in range(first + 1, last + 1):
            line = self._lines[number]
            content = line.lstrip(" ")
            indent = len(line) - len(content)
            if indent >= needed or not content.strip():
                continue
            closing = number == last and indent == needed - 1 and content[0] in "]}"
            if flow and (content[0] == "#" or closing):
                continue
            what = "list or mapping" if flow else "quoted text"
            raise YamlError(
                f"This line belongs to the {what} begun in line {first + self.segment.first_line} "
                f"(or its end is missing there); indent it by at least {needed} spaces.",
                number + self.segment.first_line,
                indent + 1,
            )
