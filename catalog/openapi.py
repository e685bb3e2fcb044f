"""The operations of an OpenAPI document (2.0 and 3.x), as far as it can be understood. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.spec_tree import Node

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
MAX_OPERATIONS = 200
MAX_PARTS = 50  # parameters or responses of one operation
MAX_WORDS = 300
MAX_LISTS = 5  # lists of lists


@dataclass(frozen=True)
class Parameter:
    name: str
    place: str  # "path", "query", "header", "cookie", "body", "formData"
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Response:
    code: str
    description: str


@dataclass(frozen=True)
class Operation:
    """One method of one path; `line` is where it stands in the text."""

    method: str
    path: str
    line: int
    summary: str
    tags: tuple[str, ...]
    deprecated: bool
    parameters: tuple[Parameter, ...]
    responses: tuple[Response, ...]


def version_of(root: Node) -> str:
    """What it says it is: "OpenAPI 3.0.3", "Swagger 2.0", or empty."""
    for key, name in (("openapi", "OpenAPI"), ("swagger", "Swagger")):
        if root.words(key):
            return f"{name} {root.words(key)[:20]}"
    return ""


def operations_of(root: Node) -> list[Operation]:
    """In the order of the document, at most MAX_OPERATIONS."""
    found = []
    for operation in _operations(root):
        found.append(operation)
        if len(found) == MAX_OPERATIONS:
            break
    return found


def _operations(root: Node) -> Iterator[Operation]:
    for path, written in root.get("paths").pairs.items():
        item = _resolved(root, written)
        if not path.startswith("x-"):
            yield from (
                _operation(root, path, method, item)
                for method in item.pairs
                if method.lower() in METHODS
            )


def _operation(root: Node, path: str, method: str, item: Node) -> Operation:
    node = item.get(method)
    parameters = [*item.get("parameters").items, *node.get("parameters").items][:MAX_PARTS]
    body = node.get("requestBody")
    read = [_parameter(_resolved(root, parameter)) for parameter in parameters]
    if body.pairs:
        read.append(_body(_resolved(root, body)))
    responses = list(node.get("responses").pairs.items())[:MAX_PARTS]
    return Operation(
        method=method.upper(),
        path=path[:MAX_WORDS],
        line=item.lines[method],
        summary=(node.words("summary") or node.words("description"))[:MAX_WORDS],
        tags=tuple(tag.text or "" for tag in node.get("tags").items[:MAX_PARTS]),
        deprecated=node.words("deprecated") == "true",
        # An operation's own parameter stands for the path's of the same name and place.
        parameters=tuple({(p.place, p.name): p for p in read}.values()),
        responses=tuple(
            Response(code[:20], _resolved(root, response).words("description")[:MAX_WORDS])
            for code, response in responses
            if not code.startswith("x-")
        ),
    )


def _parameter(node: Node) -> Parameter:
    schema = node.get("schema")
    return Parameter(
        name=node.words("name")[:MAX_WORDS],
        place=node.words("in")[:20],
        type=_type(schema if schema.pairs else node),
        required=node.words("required") == "true",
        description=node.words("description")[:MAX_WORDS],
    )


def _body(node: Node) -> Parameter:
    kinds = ", ".join(list(node.get("content").pairs)[:5])
    required = node.words("required") == "true"
    return Parameter("", "body", kinds[:MAX_WORDS], required, node.words("description")[:MAX_WORDS])


def _type(schema: Node, depth: int = 0) -> str:
    if schema.words("$ref"):
        return schema.words("$ref").rpartition("/")[2][:60]
    kind = schema.words("type") or ", ".join(i.text or "" for i in schema.get("type").items[:5])
    if kind == "array":
        items = schema.get("items")
        # By an anchor, a list may be a list of itself.
        within = _type(items, depth + 1) if items.pairs and depth < MAX_LISTS else "values"
        return f"list of {within}"
    return (schema.words("format") or kind)[:60]


def _resolved(root: Node, node: Node) -> Node:
    """What a reference within the document points at, one step; others stay as they are."""
    ref = node.words("$ref")
    if not ref.startswith("#/"):
        return node
    path = [part.replace("~1", "/").replace("~0", "~") for part in ref[2:].split("/")[:20]]
    found = root.get(*path)
    return found if found.pairs else node
