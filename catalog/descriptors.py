"""Turns descriptor text into validated descriptors: pure, one result per YAML document.

Verdicts are Backstage's (catalog-model 1.10, catalog-backend 4.0), except that one broken document
never takes its neighbours with it, and where we are stricter on purpose: a ref that is described
twice in one file, and characters that a database or UTF-8 can't hold (tests/catalog/stricter.py).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from catalog import yaml12
from catalog.refs import DEFAULT_NAMESPACE, EntityRef
from catalog.rules.envelope import check_envelope, check_policy
from catalog.rules.kinds import KINDS
from catalog.rules.placeholders import Placeholders, ReadError
from catalog.rules.related import related
from catalog.rules.results import (
    FILE_STAGES,
    STAGES,
    Descriptor,
    DocumentResult,
    Problem,
    rejects_file,
)
from catalog.rules.shapes import Path, clip, quoted, what
from catalog.rules.twins import case_twins

# Of one document; whoever wrote it needs no more, and the database neither.
MAX_PROBLEMS = 50
MAX_REF = 3 * 63 + 2

__all__ = [
    "FILE_STAGES",
    "STAGES",
    "Descriptor",
    "DocumentResult",
    "Problem",
    "ReadError",
    "parse",
    "rejects_file",
]


def parse(
    data: bytes,
    *,
    read: Callable[[str], bytes] | None = None,
    allowed_kinds: frozenset[str] | None = None,
) -> list[DocumentResult]:
    """Every non-empty document of a descriptor file.

    `read` reads a placeholder's argument (relative to the file) or raises ReadError with a
    sentence; it decides what may be read, and without it nothing is. `allowed_kinds` are the kinds
    that this place may hold (Backstage's catalog rules), compared without regard to case; None
    allows every kind. Never raises for what the data hold.
    """
    allowed = None if allowed_kinds is None else {kind.lower() for kind in allowed_kinds}
    try:
        results = [
            _Document(document, read, allowed).result()
            for document in yaml12.load(data)
            if document.error or document.value is not None
        ]
    except yaml12.YamlError as error:
        return [DocumentResult(0, error.line, problems=(_problem(error),))]
    return _without_repeats(results)


def _problem(error: yaml12.YamlError, severity: str = "error") -> Problem:
    return Problem("parse", error.message, error.line, error.column, severity)


class _Document:
    """The checks of one document, in Backstage's order."""

    def __init__(
        self,
        source: yaml12.Document,
        read: Callable[[str], bytes] | None,
        allowed: set[str] | None,
    ) -> None:
        self.source = source
        self.read = read
        self.allowed = allowed
        self.problems = [_problem(warning, "warning") for warning in source.warnings]
        self.failed = False

    def result(self) -> DocumentResult:
        source = self.source
        if source.error:
            self.problems.append(_problem(source.error))
            return DocumentResult(source.index, source.line, problems=tuple(self.problems))
        root = source.value
        if not isinstance(root, yaml12.Mapping):
            message = f"A document must be a mapping (key: value), but this is {what(root)}."
            self.problems.append(Problem("parse", message, source.line))
            return DocumentResult(source.index, source.line, problems=tuple(self.problems))
        check_envelope(root, self._reporter("envelope"))
        if self.failed:
            return self._finished(root, None)
        return self._finished(root, self._checked(root))

    def _checked(self, root: yaml12.Mapping) -> Descriptor | None:
        """The checks behind the envelope; None when one of them failed."""
        kind = root["kind"]
        if self.allowed is not None and kind.lower() not in self.allowed:
            names = ", ".join(sorted(self.allowed))
            self._fail(
                "rules", ("kind",), f"The kind {quoted(kind)} is not allowed here, only {names}."
            )
            return None
        if self.source.cycle:
            message = "An alias stands inside its own anchor: data without end; write it out."
            self.failed = True
            self.problems.append(Problem("placeholder", message, *self.source.cycle))
            return None
        placeholders = Placeholders(
            self.read, self._reporter("placeholder"), self._reporter("policy")
        )
        document = placeholders.resolve(root)
        if self.failed:
            return None
        if not document["metadata"].get("annotations", True):
            document["metadata"]["annotations"] = {}  # an empty line, repaired as in Backstage
        check_policy(document, self._reporter("policy"))
        return self._of_kind(document)

    def _of_kind(self, document: dict[str, Any]) -> Descriptor | None:
        name, version = document["kind"], document["apiVersion"]
        kind = KINDS.get(name)
        supported = kind is not None and version in kind.api_versions
        relations: tuple[tuple[str, str, str], ...] = ()
        if kind is not None and supported:
            if "spec" not in document:
                self._fail("kind", (), f"spec is missing; a {name} needs it.")
            elif isinstance(document["spec"], dict):
                kind.spec(document["spec"], ("spec",), self._reporter("kind"))
            if not self.failed:
                ref = _ref(document)
                found = related(kind, ref, document["spec"], self._reporter("relation"))
                relations = tuple(sorted(found))
        else:
            self._unknown(name, version)
        if not self.failed:
            case_twins(document, self._reporter("stitch"))
        return None if self.failed else self._descriptor(document, supported, relations)

    def _descriptor(
        self,
        document: dict[str, Any],
        supported: bool,
        relations: tuple[tuple[str, str, str], ...],
    ) -> Descriptor:
        ref = _ref(document)
        annotations = self.source.value["metadata"].get("annotations")
        lines = (
            {key: place[0] for key, place in annotations.keys_at.items()}
            if isinstance(annotations, yaml12.Mapping)
            else {}
        )
        return Descriptor(
            api_version=document["apiVersion"],
            kind=ref.kind,
            namespace=ref.namespace,
            name=ref.name,
            ref=str(ref),
            document=document,
            line=self.source.line,
            annotation_lines=lines,
            relations=relations,
            supported=supported,
            targets=self._targets(document) if supported and ref.kind == "Location" else (),
        )

    def _targets(self, document: dict[str, Any]) -> tuple[tuple[str, int, int], ...]:
        """`target` and then `targets`, each once; Backstage reads them as one list."""
        spec = document["spec"]
        paths: list[Path] = [("spec", "target")] if spec.get("target") else []
        paths += [("spec", "targets", index) for index in range(len(spec.get("targets") or ()))]
        found: dict[str, yaml12.Place] = {}
        for path in paths:
            value = spec[path[1]] if len(path) == 2 else spec[path[1]][path[2]]
            found.setdefault(value, self._place(path))
        return tuple((target, *place) for target, place in found.items())

    def _unknown(self, kind: str, version: str) -> None:
        """An error to Backstage, yet no reason for us to lose the entity: `failed` stays."""
        path: Path = ("kind",)
        if kind in KINDS:
            path = ("apiVersion",)
            wanted = " or ".join(KINDS[kind].api_versions)
            message = f"There is no {kind} of apiVersion {quoted(version)}; write {wanted}."
        else:
            near = next((name for name in KINDS if name.lower() == kind.lower()), "")
            hint = f'write "{near}"' if near else f"known are {', '.join(KINDS)}"
            message = f"The kind {quoted(kind)} is not known; {hint}."
        self.problems.append(Problem("kind", message, *self._place(path)))

    def _finished(self, root: yaml12.Mapping, descriptor: Descriptor | None) -> DocumentResult:
        named = descriptor or not any(problem.stage == "envelope" for problem in self.problems)
        return DocumentResult(
            index=self.source.index,
            line=self.source.line,
            kind=_fit(root.get("kind")),
            ref=_fit(str(_ref(root))) if named else "",
            descriptor=descriptor,
            problems=tuple(self.problems),
        )

    def _reporter(self, stage: str) -> Callable[[Path, str], None]:
        return lambda path, message: self._fail(stage, path, message)

    def _fail(self, stage: str, path: Path, message: str) -> None:
        self.failed = True
        if len(self.problems) < MAX_PROBLEMS:
            # Others' sentences may quote what they were asked for.
            self.problems.append(Problem(stage, clip(message, 1000), *self._place(path)))
        elif len(self.problems) == MAX_PROBLEMS:
            message = f"There are more than {MAX_PROBLEMS} problems; mend these first."
            self.problems.append(Problem(stage, message, *self._place(path)))

    def _place(self, path: Path) -> yaml12.Place:
        return yaml12.place_of(self.source.value, path)


def _fit(word: Any) -> str:
    """A kind or a ref that may be none, for people and for the database; empty if it is no use."""
    usable = isinstance(word, str) and len(word) <= MAX_REF and word.isprintable()
    return str(word) if usable else ""


def _ref(document: dict[str, Any]) -> EntityRef:
    metadata = document["metadata"]
    return EntityRef(
        document["kind"], metadata.get("namespace", DEFAULT_NAMESPACE), metadata["name"]
    )


def _without_repeats(results: list[DocumentResult]) -> list[DocumentResult]:
    """The first description of a ref stands; Backstage lets the last one win and says nothing."""
    first: dict[str, DocumentResult] = {}
    kept = []
    for result in results:
        if result.descriptor and result.ref in first:
            line = first[result.ref].line
            message = f"{result.ref} is described in line {line} already; keep one of the two."
            problem = Problem("policy", message, result.line)
            kept.append(replace(result, descriptor=None, problems=(*result.problems, problem)))
            continue
        if result.descriptor:
            first[result.ref] = result
        kept.append(result)
    return kept
