"""What the documents at the top promise is what the code does."""

import re
from itertools import pairwise

from django.conf import settings

READ_AT = re.compile(r'env_(?:str|bool|int|list|secret)\(\s*"([A-Z_]+)"')


def test_env_example_names_every_variable_and_no_other() -> None:
    read = set()
    for room in ("portal", "catalog", "pipelines"):
        for path in (settings.BASE_DIR / room).rglob("*.py"):
            read |= set(READ_AT.findall(path.read_text()))
    lines = (settings.BASE_DIR / ".env.example").read_text().splitlines()
    assert {line.split("=")[0] for line in lines if "=" in line and line[0] not in "#"} == read


def test_env_example_says_what_each_variable_is_for() -> None:
    lines = (settings.BASE_DIR / ".env.example").read_text().splitlines()
    bare = [
        line
        for before, line in pairwise(lines)
        if re.match("[A-Z]", line) and not re.match("# |OIDC_CLIENT_ID", before)
    ]
    assert bare == []
