"""What a page of docs is called."""

import pytest

from catalog.docs.titles import title_of


@pytest.mark.parametrize(
    ("text", "path", "title"),
    [
        ("intro\n\n# The *real* title\n", "a.md", "The real title"),
        ('---\ntitle: "From above"\n---\ntext', "a.md", "From above"),
        ("The real title\n===\n", "a.md", "The real title"),
        ("```\n# code\n```\n\n# Text #\n", "a.md", "Text"),
        ("# [Pay](https://pay.example) `v2` some_name\r\n", "a.md", "Pay v2 some_name"),
        ("## Second\n\n#no heading\n", "a.md", "a"),
        ("---\nx: 1\n---\n# Below\n", "a.md", "Below"),
        ("text", "guide/first-steps.md", "first steps"),
        ("text", "guide/index.md", "guide"),
        ("", "README.md", "README"),
        ("# " + "x" * 900, "a.md", "x" * 200),
    ],
)
def test_a_page_has_a_title(text, path, title):
    assert title_of(text, path) == title


@pytest.mark.parametrize(
    "text", ["# " + " #" * 50_000 + "x", "[" * 100_000, "<a" * 50_000, "=\n" * 9]
)
def test_a_title_takes_no_time_however_odd_the_text(text):
    assert len(title_of(text, "a.md")) <= 200
