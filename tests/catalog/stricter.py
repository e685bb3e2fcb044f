"""Where Stagedoor refuses on purpose what Backstage accepts: an id, and why.

Only behaviour that Backstage's own users call surprising may stand here, and only as a stricter
reading. tests/catalog/test_conformance.py holds everything else to Backstage's verdict.
"""

_TWICE = "Two descriptions of one entity in a file: Backstage lets the last win and tells nobody."

CASES = {
    "multi-same-entity-twice": _TWICE,
    "yaml-control-char": "PostgreSQL can't store U+0000; dropping it would alter a value.",
    "yaml-lone-surrogate": "Half of a surrogate pair can't be written as UTF-8.",
}

# "file#document", of the collected real descriptors.
DOCUMENTS = {
    **{f"wild/api-search__backstage.yaml#{index}": _TWICE for index in (6, 7, 9, 10, 14)},
    **{f"wild/jbr2021__jbr2021.github.io.yaml#{index}": _TWICE for index in (15, 51)},
}
