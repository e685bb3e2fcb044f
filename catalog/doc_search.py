"""Full text search over the pages of docs: whole words and their forms, titles above text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from catalog.docs.links import docs_url
from catalog.models import DocPage
from catalog.search import words_of
from catalog.search_index import DOC, DOC_VECTOR, MAX_DOC
from catalog.seen import Seen

# What surrounds a found word until all the rest has been escaped.
START, END = "\x02", "\x03"
_MARKED = re.compile(f"{START}([^{START}{END}]*){END}")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_MARKDOWN = re.compile(
    # What a line begins with: quotes, marks of lists and of tasks, also where a passage cuts them.
    r"^[>\s]*(?:(?:[-+*]|\d+[.)]) )?(?:\[?[ xX]\] )?"
    # No letter of a name_with_dashes_below, even where a part of it was found.
    rf"|(?<![\w{START}{END}])_+|_+(?![\w{START}{END}])"
    r"|[#*`|~]{1,6}|-{3,}|\[|\]\([^)\s]*\)?|<!--|-->",
    re.MULTILINE,
)
_BLANKS = re.compile(r"\s+")

# The best pages, from first to last, each with the passage where the words stand.
_SQLITE = """
    SELECT rowid, snippet(catalog_docpage_words, 1, %s, %s, '…', 30) FROM catalog_docpage_words
    WHERE catalog_docpage_words MATCH %s {among}
    ORDER BY bm25(catalog_docpage_words, 10.0, 1.0), rowid LIMIT %s
"""
# The passages are made of the pages that are shown alone: each reads its whole text.
_POSTGRESQL = f"""
    SELECT id, ts_headline('english', left(text, {MAX_DOC}), words, %s)
    FROM (
        SELECT {DOC}.id, text, words, ts_rank({DOC_VECTOR}, words) AS rank
        FROM {DOC}, to_tsquery('english', %s) AS words
        WHERE {DOC_VECTOR} @@ words {{among}} ORDER BY rank DESC, id LIMIT %s
    ) AS best ORDER BY rank DESC, id
"""  # noqa: S608, names of ours alone


@dataclass(frozen=True)
class Hit:
    """A page of docs, and where in it the words stand, as HTML with <mark>."""

    page: DocPage
    url: str
    passage: SafeString


def hits(text: str, limit: int, seen: Seen) -> list[Hit]:
    """The pages in which every word occurs, of what may be seen, the best first; two queries."""
    words = [word for word in words_of(text) if any(letter.isalnum() for letter in word)]
    if not words:
        return []
    try:
        among, params = _among(seen)
    except EmptyResultSet:
        return []
    found = dict(_found(words, limit, among, params))
    pages = DocPage.objects.filter(pk__in=found).defer("text").select_related("entity")
    pages = pages.defer("text", "entity__document", "entity__terms", "entity__search_text")
    by_pk = {page.pk: page for page in pages}
    return [
        Hit(by_pk[pk], docs_url(by_pk[pk].entity, by_pk[pk].path), marked(passage))
        for pk, passage in found.items()
        if pk in by_pk
    ]


def _among(seen: Seen) -> tuple[str, tuple[Any, ...]]:
    """A condition on the page's id, put together by Django, and its parameters; chosen before any
    are cut off."""
    if seen.everything:
        return "", ()
    pages = DocPage.objects.filter(entity__in=seen.entities()).order_by().values("pk")
    sql, params = pages.query.sql_with_params()
    column = "rowid" if connection.vendor == "sqlite" else f"{DOC}.id"
    return f"AND {column} IN ({sql})", params


def _found(
    words: list[str], limit: int, among: str, params: tuple[Any, ...]
) -> Iterable[tuple[int, str]]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            quoted = ['"' + word.replace('"', '""') + '"' for word in words]
            # The last word may be half typed.
            match = " AND ".join(quoted) + " *"
            sql = _SQLITE.format(among=among)
            cursor.execute(sql, [START, END, match, *params, limit])
        else:
            escaped = [word.replace("\\", "\\\\").replace("'", "''") for word in words]
            query = " & ".join(f"'{word}'" for word in escaped) + ":*"
            options = f"StartSel={START}, StopSel={END}, MaxWords=30, MinWords=15"
            sql = _POSTGRESQL.format(among=among)
            cursor.execute(sql, [options, query, *params, limit])
        return cursor.fetchall()


def marked(passage: str) -> SafeString:
    """Markdown as plain text, escaped, with the words that were found in <mark>."""
    plain = _MARKDOWN.sub("", _LINK.sub(r"\1", passage))
    html = _MARKED.sub(r"<mark>\1</mark>", escape(_BLANKS.sub(" ", plain).strip()))
    return mark_safe(html.replace(START, "").replace(END, ""))  # noqa: S308, escaped above
