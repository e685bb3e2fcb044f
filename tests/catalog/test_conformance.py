"""Compares our verdicts with Backstage's, over inputs that were run through its own code.

The inputs are not part of this project. Where they are, the environment says:
CONFORMANCE_CASES=…/catalog_cases.yaml, CORPUS_DIR=…/corpus; without them there are no tests here.
"""

import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.descriptors import rejects_file
from catalog.validation import FileReport, Options, validate
from tests.catalog import stricter

CASES_FILE = os.environ.get("CONFORMANCE_CASES", "")
CORPUS = os.environ.get("CORPUS_DIR", "")
BASE_URL = "https://github.com/acme/catalog/blob/main/"
# Backstage's catalog.rules when nobody sets any.
DEFAULT_RULES = frozenset({"Component", "API", "Location"})


def cases() -> list[dict[str, Any]]:
    return yaml.load(Path(CASES_FILE).read_bytes(), yaml.CSafeLoader)["cases"]


def reports_of(case: dict[str, Any], folder: Path) -> list[FileReport]:
    files = {**(case.get("files") or {}), "catalog-info.yaml": case["input"]}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    rules = DEFAULT_RULES if case.get("catalog_rules") == "default" else None
    return list(validate([folder / "catalog-info.yaml"], Options(rules, BASE_URL)))


def ingested(reports: Iterable[FileReport]) -> tuple[set[str], set[tuple[str, str, str]]]:
    """What exists after Backstage's first reading: refs and relations.

    A Location of which one target fails is not there, nor what its other targets hold.
    """
    first, *named = reports
    broken = rejects_file(first.results)
    failed = any(result.stage == "read" for result in first.results)
    failed = failed or any(rejects_file(report.results) for report in named)
    results = [] if broken else list(first.results)
    if failed:
        results = [result for result in results if result.kind != "Location"]
    elif not broken:
        results += [result for report in named for result in report.results]
    kept = [result.descriptor for result in results if result.descriptor and result.accepted]
    return {item.ref for item in kept}, {edge for item in kept for edge in item.relations}


if CASES_FILE:

    @pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
    def test_case_gets_backstages_verdict(case: dict[str, Any], tmp_path: Path) -> None:
        reports = reports_of(case, tmp_path)
        stages = [result.stage for report in reports for result in report.results if result.stage]
        verdict = "invalid" if stages else "valid"
        if case["id"] in stricter.CASES:
            assert case["why"].startswith("surprising")
            assert (case["expect"], verdict) == ("valid", "invalid")
            return
        refs, relations = ingested(reports)
        assert verdict == case["expect"]
        assert refs == set(case["refs"])
        if "relations" in case:
            assert relations == {tuple(edge) for edge in case["relations"]}
        assert (stages[0] if stages else None) == case.get("stage")

    def test_stricter_cases_all_exist() -> None:
        assert set(stricter.CASES) <= {case["id"] for case in cases()}


def verdicts() -> dict[str, list[dict[str, Any]]]:
    """Per file, what Backstage says of each of its documents."""
    found: dict[str, list[dict[str, Any]]] = {}
    with (Path(CORPUS) / "verdicts.jsonl").open() as lines:
        for line in lines:
            verdict = json.loads(line)
            found.setdefault(verdict["file"], []).append(verdict)
    return found


def repositories() -> dict[str, str]:
    with (Path(CORPUS) / "INDEX.tsv").open() as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return {row["file"]: f"https://github.com/{row['repo']}/tree/main/" for row in rows}


if CORPUS:

    @pytest.mark.parametrize("file", sorted(verdicts()))
    def test_real_file_gets_backstages_verdict(file: str) -> None:
        # Placeholders and targets were not fetched for these verdicts.
        options = Options(base_url=repositories()[file], alone=True)
        [report] = validate([Path(CORPUS) / file], options)
        ours = {result.index: result for result in report.results}
        for verdict in verdicts()[file]:
            index = verdict["doc"]
            if verdict["valid"] is None:
                assert index not in ours
                continue
            result = ours[index]
            if f"{file}#{index}" in stricter.DOCUMENTS:
                assert verdict["same_ref_as_doc"] is not None
                assert (verdict["valid"], result.accepted) == (True, False)
                continue
            assert result.accepted == verdict["valid"], (index, result.problems)
            if verdict["valid"]:
                assert result.ref == verdict["ref"]
                assert result.descriptor is not None
                assert len(result.descriptor.relations) == verdict["relations"]
