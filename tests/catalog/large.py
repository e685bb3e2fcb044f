"""A catalog of any size, made by the database itself: rows like those of a real one."""

from django.db import connection

from catalog.models import Source

INSERT = {
    "postgresql": "FROM generate_series(1, %s) AS n",
    "sqlite": "FROM (WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s LIMIT %s) "
    "SELECT n FROM s)",
}
# What the two write differently: hexadecimal, six digits, a text, a new UUID, JSON.
POSTGRESQL = {
    "hex": "to_hex({})",
    "digits": "lpad(CAST({} AS text), 6, '0')",
    "uid": "gen_random_uuid()",
    "json": "CAST({} AS jsonb)",
}
SQLITE = {
    "hex": "printf('%%x', {})",
    "digits": "printf('%%06d', {})",
    "uid": "lower(hex(randomblob(16)))",
    "json": "{}",
}
WORDS = POSTGRESQL if connection.vendor == "postgresql" else SQLITE


def _entities() -> str:
    """Six of ten are components; each name's first word stands in one of a thousand."""
    kind = (
        "CASE WHEN n = 77 OR n %% 10 < 6 THEN 'Component' "
        "WHEN n %% 10 < 9 THEN 'API' ELSE 'System' END"
    )
    word = WORDS["hex"].format("n %% 1000 * CAST(2654435761 AS bigint) %% 4294967296")
    name = f"{word} || '-' || {WORDS['digits'].format('n')}"
    namespace = "CASE WHEN n %% 500 = 0 THEN 'other' ELSE 'default' END"
    owner = f"'group:default/team-' || substr({WORDS['digits'].format('n %% 400')}, 3)"
    system = f"'system:default/system-' || substr({WORDS['digits'].format('n %% 2000')}, 3)"
    about = "'Sells seats for the shows of the season, row ' || n || ', and takes them back.'"
    terms = f"""'["kind=' || lower({kind}) || '", "metadata.labels.row=l' || n || '"]'"""
    document = f"""'{{"kind": "' || {kind} || '", "metadata": {{"name": "' || {name} || '"}}}}'"""
    return f"""
        INSERT INTO catalog_entity (ref, uid, kind, namespace, name, title, description, type,
            lifecycle, owner_ref, system_ref, search_text, terms, document, digest, source_id,
            location, document_index, line, annotation_lines, state, created_at, changed_at,
            has_issues, reason)
        SELECT lower({kind}) || ':' || {namespace} || '/' || {name}, {WORDS["uid"]}, {kind},
            {namespace}, {name}, '', {about},
            CASE n %% 4 WHEN 0 THEN 'website' WHEN 1 THEN 'library' ELSE 'service' END,
            CASE n %% 10 WHEN 0 THEN 'deprecated' ELSE 'production' END, {owner}, {system},
            lower({name} || '\n\n' || {about}), {WORDS["json"].format(terms)},
            {WORDS["json"].format(document)}, 'x', %s,
            'catalog-' || (n / 100) || '.yaml', n %% 100, 1, '{{}}',
            CASE n %% 900 WHEN 0 THEN 'missing' ELSE 'active' END, CURRENT_TIMESTAMP,
            CURRENT_TIMESTAMP, n %% 700 = 0, ''
        {INSERT[connection.vendor]}"""


def _tags() -> str:
    number = WORDS["digits"].replace("%%", "%").format("id % 1000")
    return f"""
        INSERT INTO catalog_tag (entity_id, value)
        SELECT id, 'tag-' || substr({number}, 3) FROM catalog_entity
        UNION ALL SELECT id, CASE id % 2 WHEN 0 THEN 'java' ELSE 'go' END FROM catalog_entity"""


def fill(source: Source, rows: int) -> None:
    """So many entities of the source, each with two tags."""
    with connection.cursor() as cursor:
        cursor.execute(_entities(), [source.pk, rows])
        cursor.execute(_tags())
