"""Says what Backstage would say of descriptor files; for authors, editors and CI jobs."""

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.descriptors import DocumentResult, Problem
from catalog.validation import FileReport, Options, validate


class Command(BaseCommand):
    help = (
        "Validates descriptor files (catalog-info.yaml) as Backstage would, without touching the "
        "database or the network. Of a folder, every *.yaml and *.yml below it is validated. "
        "Placeholders ($text, $json, $yaml) are read and Location targets followed inside the git "
        "checkout around a file, or else inside its folder; what URLs name is not judged. "
        "Ends with 1 if anything is invalid, with 2 if nothing was found."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="File or folder.")
        parser.add_argument(
            "--json",
            action="store_true",
            help="One JSON object a document and line: file, document (from 0), kind, ref, valid, "
            "stage of the first error, errors [{line, column, message}], relations "
            "[[source, type, target]]. Warnings go to standard error.",
        )
        parser.add_argument(
            "--allow",
            metavar="KINDS",
            default="",
            help="Kinds that are allowed, with commas: Component,API,Location is what Backstage "
            "allows without rules of its own. Every kind is allowed if this is not given.",
        )
        parser.add_argument(
            "--base-url",
            default="",
            help="Where the root of the tree is published, for example "
            "https://github.com/acme/catalog/blob/main/ ; URLs below it are read from the tree, "
            "and a placeholder may name no other.",
        )
        parser.add_argument(
            "--alone",
            action="store_true",
            help="Judge every file by itself: what placeholders and Locations name is taken to be "
            "there.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = frozenset(kind.strip() for kind in options["allow"].split(",") if kind.strip())
        base_url = options["base_url"]
        how = Options(
            allowed_kinds=kinds or None,
            base_url=f"{base_url.rstrip('/')}/" if base_url else "",
            alone=options["alone"],
        )
        show = self._show_json if options["json"] else self._show
        documents, invalid, files = 0, 0, 0
        for report in validate(options["paths"], how):
            show(report)
            files += 1
            documents += len(report.results)
            invalid += sum(not result.accepted for result in report.results)
        if not files:
            raise CommandError("No *.yaml or *.yml file was found.", returncode=2)
        if not options["json"]:
            style = self.style.ERROR if invalid else self.style.SUCCESS
            counts = f"{_count(documents, 'document')} in {_count(files, 'file')}"
            self.stdout.write(style(f"{counts}: {invalid} invalid."))
        if invalid:
            raise SystemExit(1)

    def _show(self, report: FileReport) -> None:
        for result in report.results:
            for problem in result.problems:
                style = self.style.ERROR if problem.severity == "error" else self.style.WARNING
                self.stdout.write(style(_line(report, problem)))

    def _show_json(self, report: FileReport) -> None:
        for result in report.results:
            self.stdout.write(json.dumps(_record(report, result), allow_nan=False))
            for problem in result.problems:
                if problem.severity != "error":
                    self.stderr.write(_line(report, problem))


def _line(report: FileReport, problem: Problem) -> str:
    word = "" if problem.severity == "error" else f"{problem.severity}: "
    return f"{report.file}:{problem.line}:{problem.column}: {word}{problem.message}"


def _record(report: FileReport, result: DocumentResult) -> dict[str, Any]:
    relations = result.descriptor.relations if result.descriptor and result.accepted else ()
    return {
        "file": report.file,
        "document": result.index,
        "kind": result.kind,
        "ref": result.ref,
        "valid": result.accepted,
        "stage": result.stage,
        "errors": [
            {"line": problem.line, "column": problem.column, "message": problem.message}
            for problem in result.errors
        ],
        "relations": [list(relation) for relation in relations],
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
