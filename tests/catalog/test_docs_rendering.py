"""Documentation as HTML: nothing in it does anything, and no text takes long."""

import re

import pytest

from catalog.docs.rendering import LANGUAGES, MAX_RENDERED, render


def html(text, resolve=lambda address: f"/here/{address}"):
    return render(text, resolve).html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java&#10;script:alert(1))",
        "[x](vbscript:x)",
        "[x](data:text/html;base64,PHN2Zz4=)",
        "![x](javascript:alert(1))",
        "[x]: javascript:alert(1)\n\n[x]",
        "<svg onload=alert(1)><script>x</script></svg>",
        "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
        "<style>body{display:none}</style>",
        "<p style='position:fixed' onclick='x()'>x</p>",
        "<iframe src='https://evil.example'></iframe>",
        "<form action='https://evil.example'><input name=a><button>x</button></form>",
        "<object data=x></object><embed src=x><link rel=stylesheet href=x><base href=//evil>",
        "<meta http-equiv=refresh content='0;url=//evil'>",
        "<div hx-get='/x' hx-trigger=load data-x=1>x</div>",
        "<a href='//evil.example'>x</a> <a href='/\\evil.example'>x</a> [x](\\\\\\\\evil.example)",
        "<a href='\x01javascript:alert(1)'>x</a>",
        '```"><script>alert(1)</script>\ncode\n```',
        "| <script>x</script> |\n|-|\n| `<img src=x onerror=y>` |",
        "<!--> <script>alert(1)</script> -->",
        "<<script>script>alert(1)<</script>/script>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    ],
)
def test_nothing_in_a_page_acts(text):
    made = html(text)
    tags = {"p", "a", "pre", "code", "div", "table", "thead", "tbody", "tr", "th", "td"}
    assert set(re.findall(r"<([a-z0-9]+)", made)) <= tags
    assert re.findall(r"<[^>]*\s(on\w+|style|hx-\w+|data-\w+|src|action)\s*=", made) == []
    addresses = re.findall(r'href="([^"]*)"', made)
    assert [a for a in addresses if not a.startswith(("/here/", "#doc-"))] == []
    assert [a for a in addresses if "evil" in a and not a.startswith("/here/")] == []


def test_what_is_left_open_stays_inside():
    made = html("<div><details><b><a href='x'>never closed\n\n</div></div></article></main>")
    assert made.count("<div") == made.count("</div>")
    assert "</article>" not in made
    assert "</main>" not in made


def test_ids_and_classes_of_a_page_are_not_ours():
    made = html('<p id="main" class="topbar notice--error">x</p>\n\n# main')
    assert 'id="main"' not in made
    assert "topbar" not in made
    assert '<h2 id="doc-main">' in made


def test_links_that_leave_say_so():
    made = html("[a](https://a.example) <mailto:x@a.example> www.b.example")
    assert made.count('rel="noopener noreferrer nofollow"') == 3
    assert 'href="http://www.b.example"' in made


def test_headings_make_an_outline():
    made = render("# Top\n\n## Set *up*\n\n## Set up\n\n#### deep\n\n##\n", lambda address: "")
    assert [(h.level, h.id, h.title) for h in made.outline] == [
        (1, "doc-top", "Top"),
        (2, "doc-set-up", "Set up"),
        (2, "doc-set-up-1", "Set up"),
    ]
    assert html("[there](#set-up)").count('href="#doc-set-up"') == 1


def test_pictures_become_their_words():
    badge = "[![Build](https://ci.example/b.svg)](https://ci.example)"
    made = html(f'![A plan](plan.png) {badge}\n\n<img src="x.png" alt="A & b">')
    assert "<img" not in made
    assert '<a href="/here/plan.png" rel="noopener noreferrer nofollow">A plan</a>' in made
    assert '<a href="https://ci.example" rel="noopener noreferrer nofollow">Build</a>' in made
    assert ">A &amp; b</a>" in made


def test_what_people_write_looks_as_meant():
    made = html(
        "---\nowner: x\n---\n- [ ] todo\n- [x] done\n\n| a |\n|---|\n| 1 |\n\n"
        '!!! note "Mind"\n    the gap\n\n> [!TIP]\n> Sleep\n\n```mermaid\ngraph TD\n```\n'
    )
    assert "owner" not in made
    assert '<li class="task-list-item">☐ todo</li>' in made
    assert "☑ done" in made
    assert '<div class="table-wrap" tabindex="0"><table class="table">' in made
    assert '<div class="admonition">' in made
    assert '<p class="markdown-alert-title">Tip</p>' in made
    assert re.search(r'<pre tabindex="0"><code>graph TD', made)


def test_code_has_colours_where_its_language_is_named():
    made = html("```yaml\n# <b>\nkind: x\n```\n\n```no-such-language\n<b>\n```\n\n    plain\n")
    assert '<span class="code__comment"># &lt;b&gt;</span>' in made
    assert "<code>&lt;b&gt;\n</code>" in made
    assert "<code>plain\n</code>" in made
    for name in LANGUAGES:
        assert "<pre" in html(f"```{name}\nx\n```")


HOSTILE = {
    "colons": (":a:" * 3_000 + "\n\n") * 10,
    "quotes": ("> " * 4_000 + "\n") * 10,
    "lists": "".join("  " * depth + "- x\n" for depth in range(300)),
    "brackets": ("[" * 9_000 + "\n") * 10,
    "images": ("![" * 4_500 + "\n") * 10,
    "emphasis": ("*a_ " * 2_400 + "\n") * 10,
    "tags": ("<b><i>" * 1_500 + "\n") * 10,
    "open tags": ("<img " * 1_900 + "\n") * 10,
    "divs": ("<div>" * 1_900 + "\n") * 10,
    "backticks": "".join("`" * n + " " for n in range(130)) * 10,
    "cells": "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n|" + "|x\n" * 30_000,
    "footnotes": "[^a]\n" * 18_000 + "\n[^a]: z",
    "headings": "# x\n" * 24_000,
    "entities": ("&#" * 4_500 + "\n") * 10,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_laid_out_or_shown_plainly(name):
    made = render(HOSTILE[name][:MAX_RENDERED], lambda address: "")
    assert made.plain == (name not in {"quotes", "lists", "divs"})
    assert len(made.html) < 2_000_000


def test_a_page_that_is_too_large_is_shown_as_it_is_written():
    for text in ("x" * 1_000_000, "<b>\n" * MAX_RENDERED):
        made = render(text, lambda address: "")
        assert made.plain
        assert "<b>" not in made.html
