"""Text in colours: nothing is lost, nothing becomes markup, and the work is bounded."""

import re
from html import unescape

import pytest

from catalog.highlight import MAX_CHARACTERS, MAX_LINE, lines_of

HOSTILE = 'a: "</span><script>alert(1)</script>"\n# <b>&amp;\nb: |\n  <i>\n'


def plain(lines):
    return unescape(re.sub(r'<span class="code__\w+">|</span>', "", "\n".join(lines)))


@pytest.mark.parametrize("language", ["yaml", "json", "graphql", "protobuf", "typescript", ""])
def test_the_text_stays_as_it_is(language):
    lines = lines_of(HOSTILE, language)
    assert plain(lines) == HOSTILE
    assert all(line.count("<span") == line.count("</span>") for line in lines)
    assert "<script" not in "".join(lines)


def test_keys_and_values_have_classes_of_ours():
    assert lines_of("a: 1", "yaml") == ['<span class="code__key">a</span>: 1']
    assert lines_of('{"a": 1}', "json") == [
        '{<span class="code__key">&quot;a&quot;</span>: <span class="code__value">1</span>}'
    ]


@pytest.mark.parametrize("text", ["a: b\n" * MAX_CHARACTERS, "a: " + "b" * MAX_LINE])
def test_what_is_too_large_stays_without_colours(text):
    assert "<span" not in "".join(lines_of(text, "yaml"))
