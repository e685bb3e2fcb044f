"""Asking in SQL for labels as scopes name them, "tier=gold": PostgreSQL and SQLite differ."""

from collections.abc import Sequence
from typing import Any

from django.db.models import BooleanField, Func

_POSTGRESQL = """EXISTS (
    SELECT 1 FROM jsonb_each(
        CASE jsonb_typeof({document} #> '{{metadata,labels}}')
        WHEN 'object' THEN {document} #> '{{metadata,labels}}' ELSE '{{}}'::jsonb END
    ) AS label
    WHERE jsonb_typeof(label.value) = 'string'
    AND label.key || '=' || (label.value #>> '{{}}') = ANY(%s::text[])
)"""
_SQLITE = """(json_type({document}, '$.metadata.labels') = 'object' AND EXISTS (
    SELECT 1 FROM json_each({document}, '$.metadata.labels') AS label
    WHERE label.type = 'text' AND label.key || '=' || label.value IN ({places})
))"""


class HasLabel(Func):
    """The entity has one of these labels, compared as it is written; as catalog.scopes has them."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__("document")
        self.labels = list(labels)

    def as_postgresql(self, compiler: Any, connection: Any, **kwargs: Any) -> tuple[str, list]:
        document, _ = compiler.compile(self.source_expressions[0])  # a column takes no parameters
        return _POSTGRESQL.format(document=document), [self.labels]

    def as_sqlite(self, compiler: Any, connection: Any, **kwargs: Any) -> tuple[str, list]:
        document, _ = compiler.compile(self.source_expressions[0])
        places = ", ".join(["%s"] * len(self.labels))
        return _SQLITE.format(document=document, places=places), self.labels
