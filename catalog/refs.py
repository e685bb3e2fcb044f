"""Entity refs: `[kind:][namespace/]name`, read and written as Backstage does.

Pure, because everything that names an entity (descriptors, forms, the API, role scopes) needs it.
"""

from dataclasses import dataclass

DEFAULT_NAMESPACE = "default"
FORM = "[kind:][namespace/]name"


class RefError(ValueError):
    """The text is not an entity ref; the message is a sentence for the person who wrote it."""


@dataclass(frozen=True)
class EntityRef:
    """The three parts as written. Compare and store `str(ref)`, which is lower-cased."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}".lower()


def parse_ref(
    text: str, *, default_kind: str = "", default_namespace: str = DEFAULT_NAMESPACE
) -> EntityRef:
    """Splits at the first colon and the first slash; a missing part takes its default.

    A colon behind the slash belongs to the name, nothing is trimmed, and the parts are not held
    against the rules for names: a ref may point at what does not exist (catalog-model 1.10,
    `parseEntityRef`). Raises RefError for an empty part and for a kind that nobody supplies.
    """
    if not text:
        raise RefError(f"An entity ref must not be empty; write {FORM}.")
    head, slash, tail = text.partition("/")
    kind, colon, rest = head.partition(":")
    if not colon:
        kind, rest = default_kind, head
    namespace, name = (rest, tail) if slash else (default_namespace, rest)
    if not name or (slash and not namespace) or (colon and not kind):
        raise RefError(f'"{text[:80]}" has an empty part; write {FORM}.')
    if not kind:
        example = f"component:{text[:80]}"
        raise RefError(f'"{text[:80]}" does not say its kind; write for example "{example}".')
    return EntityRef(kind, namespace or DEFAULT_NAMESPACE, name)
