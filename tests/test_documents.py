"""What the documents at the top promise is what the code does."""

import ast
import re
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path

from django.conf import settings

READ_AT = re.compile(r'env_(?:str|bool|int|list|secret|choice|map)\(\s*"([A-Z_]+)"')


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


def test_pages_of_providers_name_variables_that_exist() -> None:
    known = {
        line.split("=")[0]
        for line in (settings.BASE_DIR / ".env.example").read_text().splitlines()
        if re.match("[A-Z]", line)
    }
    known |= {f"{name}_FILE" for name in known} | {"PORTAL_URL"}
    pages = sorted((settings.BASE_DIR / "portal" / "docs" / "providers").glob("*.md"))
    named = {
        (path.name, name)
        for path in pages
        for name in re.findall(r"(?m)(?:^|`)([A-Z]+_[A-Z_]+)(?:=|`)", path.read_text())
    }
    assert len(named) > 2 * len(pages)
    assert {(page, name) for page, name in named if name not in known} == set()


# Named nowhere in our code, and needed all the same.
UNNAMED = {
    "psycopg",  # Django's driver for PostgreSQL
    "redis",  # Celery's client of a Redis broker
    "pyjwt",  # imported as jwt
    "python-dotenv",  # imported as dotenv
    "pyyaml",  # imported as yaml
    "python-jenkins",  # imported as jenkins
    "pytest-iam",  # gives the fixture iam_server
    "pytest-playwright",  # gives the fixture browser
    "pytest-django",  # gives the fixture settings and others
    "mypy",
    "ruff",
    "django-stubs",
    "types-pyyaml",
    "types-requests",
}
LINE = re.compile(r"^([\w-]+)(?:\[[\w,-]+\])?==\S+ +# \S")


def required(name: str) -> set[str]:
    """Distribution names that a requirements file lists, each with its reason."""
    lines = (settings.BASE_DIR / name).read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith(("#", "-r "))]
    assert [line for line in listed if not LINE.match(line)] == []
    return {line.split("==")[0].split("[")[0] for line in listed}


def imported_by(*rooms: str) -> set[str]:
    """Distribution names of what the modules of these rooms import."""
    owners = packages_distributions()
    names = set()
    for room in rooms:
        for path in (settings.BASE_DIR / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module)
    return {owners[top][0].lower() for name in names if (top := name.split(".")[0]) in owners}


def test_what_the_code_imports_is_required() -> None:
    runtime = required("requirements.txt")
    assert imported_by("portal", "catalog", "pipelines") <= runtime
    assert imported_by("tests") <= runtime | required("requirements-dev.txt")


def test_what_is_required_is_used() -> None:
    text = "".join(
        path.read_text()
        for room in ("portal", "catalog", "pipelines", "templates", "tests")
        for path in (settings.BASE_DIR / room).rglob("*.*")
        if path.suffix in {".py", ".html"} and path != Path(__file__)
    )
    modules: dict[str, set[str]] = {}
    for module, owners in packages_distributions().items():
        for owner in owners:
            modules.setdefault(owner.lower(), set()).add(module)
    idle = {
        name
        for name in required("requirements.txt") | required("requirements-dev.txt")
        if name not in UNNAMED
        and not any(re.search(rf"\b{module}\b", text) for module in modules.get(name, ()))
    }
    assert idle == set()


def test_the_lock_pins_all_that_is_required_and_names_no_host() -> None:
    lock = (settings.BASE_DIR / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.M))
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (settings.BASE_DIR / name).read_text().splitlines():
            if LINE.match(line):
                wanted, version = line.split()[0].split("==")
                assert pins[wanted.split("[")[0]] == version
    assert "://" not in lock
