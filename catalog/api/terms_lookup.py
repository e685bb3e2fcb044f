"""Asking for a term of Entity.terms in SQL, which PostgreSQL and SQLite do differently."""

import json
from typing import Any

from django.db.models import BooleanField, Func


def like(text: str) -> str:
    """The text inside a LIKE pattern with "!" as its escape."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


class HasTerm(Func):
    """`terms` holds exactly this term. PostgreSQL: the GIN index on terms answers it."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, term: str) -> None:
        super().__init__("terms")
        self.term = term

    def as_postgresql(self, compiler: Any, connection: Any, **kwargs: Any) -> tuple[str, list]:
        sql, params = compiler.compile(self.source_expressions[0])
        return f"({sql} @> %s::jsonb)", [*params, json.dumps([self.term])]

    def as_sqlite(self, compiler: Any, connection: Any, **kwargs: Any) -> tuple[str, list]:
        sql, params = compiler.compile(self.source_expressions[0])
        # The text search comes first, because it is ten times as fast and nearly always right.
        found = f"instr({sql}, %s) > 0"
        exact = f"EXISTS (SELECT 1 FROM json_each({sql}) AS term WHERE term.value = %s)"  # noqa: S608
        return f"({found} AND {exact})", [*params, json.dumps(self.term), *params, self.term]


class HasTermLike(Func):
    """`terms` holds a term of this LIKE pattern, whose escape is "!"."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, pattern: str) -> None:
        super().__init__("terms")
        self.pattern = pattern

    def as_postgresql(self, compiler: Any, connection: Any, **kwargs: Any) -> tuple[str, list]:
        return self._sql(compiler, "jsonb_array_elements_text({}) AS term(value)")

    def as_sqlite(self, compiler: Any, connection: Any, **kwargs: Any) -> tuple[str, list]:
        return self._sql(compiler, "json_each({}) AS term")

    def _sql(self, compiler: Any, each: str) -> tuple[str, list]:
        sql, params = compiler.compile(self.source_expressions[0])
        found = f"{each.format(sql)} WHERE term.value LIKE %s ESCAPE '!'"
        return f"EXISTS (SELECT 1 FROM {found})", [*params, self.pattern]  # noqa: S608
