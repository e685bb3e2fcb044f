"""Holds the rules of the layout, so that they stay true without a reviewer."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

ROOT: Path = settings.BASE_DIR
# Each room may import itself and those to its left.
ROOMS = ("portal", "catalog", "pipelines")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
# Pure: no Django models, directly or through one of our modules that has them.
PURE = (
    "portal/group_claims.py",
    "portal/kept_claims.py",
    "portal/policy/",
    "catalog/api_definition.py",
    "catalog/graph_layout.py",
    "catalog/highlight.py",
    "catalog/openapi.py",
    "catalog/refs.py",
    "catalog/descriptors.py",
    "catalog/reading.py",
    "catalog/rules",
    "catalog/sources",
    "catalog/spec_tree.py",
    "catalog/validation.py",
    "catalog/yaml12",
    "catalog/yaml_text.py",
    "pipelines/bounds.py",
    "pipelines/claims.py",
    "pipelines/nearest.py",
    "pipelines/providers",
    "pipelines/sandbox",
)
SOURCES = [
    path
    for room in (*ROOMS, "tests")
    for path in sorted((ROOT / room).rglob("*.py"))
    if "migrations" not in path.parts
]
PAGES = sorted((ROOT / "templates").rglob("*.html"))
# Remote content that a page would load by itself; a link that a person follows is none.
REMOTE = re.compile(
    r"""(?:\bsrc|<link[^>]*\bhref|\bsrcset|\bdata|@import|url\()\s*=?\s*["'(]?\s*(?:https?:)?//""",
    re.I,
)
INLINE_STYLE = re.compile(r"<style\b|\sstyle\s*=", re.I)
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|\son[a-z]+\s*=\s*[\"']|javascript:", re.I)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), name(path))


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Dotted names of what a module imports, relative imports made absolute."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    folder = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_room_imports_only_from_the_rooms_below() -> None:
    upwards = []
    for path in SOURCES:
        room = path.relative_to(ROOT).parts[0]
        if room in ROOMS:
            above = {*ROOMS[ROOMS.index(room) + 1 :], "tests"}
            found = sorted(word for word in imported(path) if word.split(".")[0] in above)
            upwards += [f"{name(path)} imports {word}" for word in found]
    assert upwards == []


def test_nothing_is_imported_inside_a_function() -> None:
    inside = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        for function in functions(tree(path))
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        # Django's models can't be imported before all apps are known.
        and not (path.name == "apps.py" and function.name == "ready")
    ]
    assert inside == []


def test_files_stay_short() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {file: lines for file, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_stay_short() -> None:
    lengths = {
        f"{name(path)}:{function.name}": length(function)
        for path in SOURCES
        for function in functions(tree(path))
    }
    assert {place: lines for place, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines without the docstring: a contract told at length is not long code."""
    first = function.body[0]
    told = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if told else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_every_module_says_why_it_exists() -> None:
    silent = [
        name(path)
        for path in SOURCES
        if path.read_text().strip() and ast.get_docstring(tree(path)) is None
    ]
    assert silent == []


def test_pure_modules_reach_no_models() -> None:
    files = [path for path in SOURCES if name(path).startswith(PURE)]
    assert len(files) > len(PURE)
    for path in files:
        reached = set(reachable(path))
        assert {word for word in reached if "models" in word.split(".")} == set(), name(path)
        assert "django.db" not in reached, name(path)


def reachable(path: Path, seen: set[Path] | None = None) -> Iterator[str]:
    """What a module imports, and what those of our modules import in their turn."""
    seen = seen if seen is not None else set()
    if path in seen:
        return
    seen.add(path)
    for word in imported(path):
        yield word
        target = ROOT / word.replace(".", "/")
        for candidate in (target.with_suffix(".py"), target / "__init__.py"):
            if candidate.exists():
                yield from reachable(candidate, seen)


def views() -> Iterator[tuple[str, str, str]]:
    """(namespace, URL name, the view function's name) of every URL of our own rooms."""
    for entry in get_resolver().url_patterns:
        if isinstance(entry, URLResolver) and entry.namespace in ROOMS:
            for pattern in entry.url_patterns:
                assert isinstance(pattern, URLPattern)
                # A library's class under our address has the library's name.
                ours = not hasattr(pattern.callback, "view_class")
                function = pattern.callback.__name__ if ours else pattern.name
                yield entry.namespace, str(pattern.name), str(function)


def test_views_and_urls_have_one_name() -> None:
    found = list(views())
    assert len(found) > 5
    assert [entry for entry in found if entry[1] != entry[2]] == []


def test_a_view_draws_the_page_or_the_fragment_of_its_name() -> None:
    """Each full page belongs to the view of its name; what is included begins with _."""
    names = {(namespace, view) for namespace, view, _ in views()}
    strays = [
        name(path)
        for path in PAGES
        for room in [path.relative_to(ROOT / "templates").parts[0]]
        if room in ROOMS and not path.name.startswith("_") and (room, path.stem) not in names
    ]
    assert strays == []


def test_a_fragment_that_replaces_itself_is_found_by_its_name() -> None:
    """htmx swaps it by id, so the id has to lead to the file and back: _build_list, build-list."""
    wrong = []
    for path in PAGES:
        if path.relative_to(ROOT / "templates").parts[0] not in ROOMS:
            continue
        for tag in re.findall(r'<[a-z]+[^>]*hx-target="this"', path.read_text()):
            kebab = path.stem.strip("_").replace("_", "-")
            if not re.search(rf'\bid="{kebab}["-]', tag):
                wrong.append(name(path))
    assert wrong == []


def test_pages_have_no_inline_script_or_style_and_load_nothing_remote() -> None:
    rules = (INLINE_STYLE, INLINE_SCRIPT, REMOTE)
    found = {
        name(path): [m for rule in rules for m in rule.findall(path.read_text())] for path in PAGES
    }
    assert {page: matches for page, matches in found.items() if matches} == {}


def test_static_files_load_nothing_remote() -> None:
    files = [path for path in (ROOT / "static").rglob("*") if path.suffix in {".css", ".js"}]
    assert files
    assert [name(path) for path in files if REMOTE.search(path.read_text(encoding="utf-8"))] == []


def test_every_view_is_tested_by_its_name() -> None:
    """`test_<view>_…` in the tests of its room."""
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    untested = [
        f"{namespace}:{view}"
        for namespace, view, _ in views()
        if not re.search(rf"def test_{view}_", tests)
    ]
    assert untested == []
