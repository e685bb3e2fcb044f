"""`manage.py catalog_validate`: what it prints, how it ends, and what it may read.

None of these tests asks for the database, so pytest-django would stop a query.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tests.catalog.test_descriptors import component

LOCATION = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec:\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


def write(folder: Path, **texts: str) -> None:
    """Files of the given texts; "__" in a name stands for "/", and ".yaml" is added."""
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(capsys: pytest.CaptureFixture[str], *args: Any) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    code = 0
    try:
        call_command("catalog_validate", *map(str, args))
    except SystemExit as ended:
        code = int(ended.code or 0)
    except CommandError as error:
        return error.returncode, "", str(error)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def records(
    capsys: pytest.CaptureFixture[str], *args: Any
) -> tuple[int, list[dict[str, Any]], str]:
    code, out, err = run(capsys, "--json", *args)
    return code, [json.loads(line) for line in out.splitlines()], err


def test_a_valid_file_ends_with_0(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tree, a=component())
    assert run(capsys, tree / "a.yaml") == (0, "1 document in 1 file: 0 invalid.\n", "")


def test_an_invalid_file_is_told_by_file_line_and_column(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree, a=f"{component()}---\n{component('a b')}")
    code, out, _ = run(capsys, tree / "a.yaml")
    first, summary = out.splitlines()
    assert code == 1
    assert first.startswith(f'{tree}/a.yaml:13:9: metadata.name "a b" is not valid; write ')
    assert summary == "2 documents in 1 file: 1 invalid."


def test_json_has_a_line_for_each_document(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tree, a=f"---\n---\n{component()}---\nkind: [\n")
    code, lines, _ = records(capsys, tree / "a.yaml")
    assert code == 1
    assert lines[0] == {
        "file": f"{tree}/a.yaml",
        "document": 1,
        "kind": "Component",
        "ref": "component:default/checkout",
        "valid": True,
        "stage": "",
        "errors": [],
        "relations": [
            ["component:default/checkout", "ownedBy", "group:default/team-red"],
            ["group:default/team-red", "ownerOf", "component:default/checkout"],
        ],
    }
    assert (lines[1]["document"], lines[1]["valid"], lines[1]["stage"]) == (2, False, "parse")
    assert lines[1]["errors"][0].keys() == {"line", "column", "message"}
    assert lines[1]["errors"][0]["line"] >= 12


def test_an_unknown_kind_is_invalid_as_in_backstage(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree, a=component().replace("Component", "Widget"))
    code, [line], _ = records(capsys, tree)
    assert (code, line["valid"], line["stage"]) == (1, False, "kind")
    assert line["ref"] == "widget:default/checkout"


def test_a_folder_is_searched_for_yaml_files(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree, b=component("b"), sub__a=component("a"), **{".hidden__c": component("c")})
    write(tree, **{".git__d": "broken: [", "node_modules__e": "broken: ["})
    (tree / "notes.txt").write_text("no descriptor")
    code, lines, _ = records(capsys, tree)
    assert code == 0
    assert sorted(line["ref"][-1] for line in lines) == ["a", "b", "c"]


def test_an_empty_file_is_valid_and_an_empty_folder_is_nothing(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, tree)[0] == 2
    write(tree, a="# nothing yet\n")
    assert run(capsys, tree)[:2] == (0, "0 documents in 1 file: 0 invalid.\n")


def test_a_path_that_is_not_there_is_invalid(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, [line], _ = records(capsys, tree / "none.yaml")
    assert (code, line["stage"], line["valid"]) == (1, "read", False)


def test_placeholders_are_read_beside_the_file(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = component().replace("Component", "API")
    write(tree, a__x=f"{api}  definition: {{$text: ../specs/o.yaml}}\n", specs__o="openapi: 3\n")
    code, [line], _ = records(capsys, tree / "a")
    assert (code, line["stage"]) == (1, "placeholder")  # the folder that was given is the tree
    (tree / ".git").mkdir()
    assert records(capsys, tree / "a")[0] == 0  # unless a checkout is around it


@pytest.mark.parametrize(
    "argument", ["../secret.yaml", "./link.yaml", "/etc/hostname", ".git/config"]
)
def test_placeholders_stay_inside_the_tree(
    argument: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree.parent, secret="word: hush\n")
    (tree / "link.yaml").symlink_to(tree.parent / "secret.yaml")
    (tree / ".git").mkdir()
    (tree / ".git" / "config").write_text("token = hush")
    write(tree, a=component(more=f"  x: {{$text: {argument}}}\n"))
    code, [line], err = records(capsys, tree / "a.yaml")
    assert (code, line["stage"], line["errors"][0]["line"]) == (1, "placeholder", 9)
    assert "hush" not in json.dumps(line) + err


def test_a_link_that_leads_out_of_a_folder_is_not_searched(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree.parent, secret=component("secret"))
    (tree / "link.yaml").symlink_to(tree.parent / "secret.yaml")
    (tree / "loop").symlink_to(tree)
    write(tree, a=component())
    code, lines, _ = records(capsys, tree)
    assert (code, [line["ref"] for line in lines]) == (0, ["component:default/checkout"])


def test_location_targets_are_followed_once(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        tree,
        all=f"{LOCATION}  type: url\n  target: ./s/a.yaml\n  targets: ['./s/*.yaml', ./all.yaml]\n",
        s__a=component("a"),
        s__b=component("b"),
    )
    code, lines, _ = records(capsys, tree / "all.yaml")
    assert code == 0
    assert [line["ref"].split("/")[1] for line in lines] == ["all", "a", "b"]


@pytest.mark.parametrize("target", ["./none.yaml", "./none/*.yaml", "../outside.yaml", "./s"])
def test_a_target_that_is_not_there_is_told_at_its_place(
    target: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree.parent, outside=component())
    write(tree, all=f"{LOCATION}  targets:\n    - {target}\n", s__a=component())
    code, [line], _ = records(capsys, tree / "all.yaml")
    assert (code, line["stage"]) == (1, "read")
    assert (line["errors"][0]["line"], line["errors"][0]["column"]) == (6, 7)


def test_an_optional_target_may_be_missing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tree, all=f"{LOCATION}  target: ./none.yaml\n  presence: optional\n")
    assert records(capsys, tree / "all.yaml")[0] == 0


def test_a_location_of_a_foreign_type_is_invalid(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree, all=f"{LOCATION}  type: github-discovery\n  target: https://github.com/acme\n")
    code, [line], _ = records(capsys, "--alone", tree / "all.yaml")
    assert (code, line["stage"]) == (1, "read")


def test_urls_are_not_fetched(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://203.0.113.1/x.yaml"
    write(tree, a=component(more=f"  x: {{$text: {url!r}}}\n"), b=f"{LOCATION}  target: {url}\n")
    code, [placeholder, location], err = records(capsys, tree)
    assert (code, placeholder["stage"], location["valid"]) == (1, "placeholder", True)
    assert "not judged here" in err


def test_a_base_url_says_which_urls_are_the_tree(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, other = "https://git.example/acme/all/blob/main", "https://git.example/acme/other"
    write(tree, a=component(more=f"  x: {{$yaml: {here}/specs/o%20o.yaml}}\n"))
    write(tree, b=component("b", f"  x: {{$yaml: {other}/blob/main/specs/o%20o.yaml}}\n"))
    write(tree, **{"specs__o o": component("o")})
    _, lines, _ = records(capsys, "--base-url", here, tree)
    assert [line["valid"] for line in lines] == [True, False, True]
    assert "another repository" in lines[1]["errors"][0]["message"]
    _, lines, _ = records(capsys, "--base-url", here, "--alone", tree)
    assert [line["valid"] for line in lines] == [True, False, True]


def test_alone_takes_what_is_named_to_be_there(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = component().replace("Component", "API")
    write(tree, a=f"{api}  definition: {{$text: ./none}}\n", b=f"{LOCATION}  target: ./none.yaml\n")
    assert records(capsys, tree)[0] == 1
    code, lines, _ = records(capsys, "--alone", tree)
    assert (code, [line["valid"] for line in lines]) == (0, [True, True])


def test_kinds_may_be_limited(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tree, a=component().replace("Component", "System"))
    code, [line], _ = records(capsys, "--allow", "Component, API", tree)
    assert (code, line["stage"]) == (1, "rules")


def test_a_name_in_two_files_is_a_warning(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tree, a=component(), b=component())
    code, lines, err = records(capsys, tree)
    assert (code, [line["valid"] for line in lines]) == (0, [True, True])
    assert f"{tree}/b.yaml:1:1: warning: component:default/checkout" in err
    assert f"{tree}/a.yaml" in err


def test_it_needs_no_database_and_no_other_folder(tree: Path) -> None:
    write(tree, a=component("first"), b="broken: [")
    environment = {
        **os.environ,
        "DATABASE_URL": "postgres://nobody:x@127.0.0.1:1/none",
        "STAGEDOOR_DATA_DIR": str(tree.parent / "data"),
    }
    command = [sys.executable, settings.BASE_DIR / "manage.py", "catalog_validate", "--json", "."]
    ended = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1, ended.stderr
    first, second = map(json.loads, ended.stdout.splitlines())
    assert (first["file"], first["valid"]) == ("a.yaml", True)
    assert (second["file"], second["valid"]) == ("b.yaml", False)
