"""Every nasty case that a provider's README lists has a test that carries its id.

Where PROVIDER_DOCS names a folder of vendor documents, their lists are compared with ours too.
"""

import os
import re
from pathlib import Path

import pytest

from pipelines.providers import PROVIDERS
from pipelines.providers import __file__ as providers

PACKAGES = Path(providers).parent
TESTS = Path(__file__).parents[2]
DOCS = os.environ.get("PROVIDER_DOCS", "")


def listed(slug: str) -> dict[int, str]:
    """Number -> text of each case in the provider's README."""
    readme = (PACKAGES / slug / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Nasty cases\n")[2].partition("\n## ")[0]
    parts = re.split(r"(?m)^(\d+)\. ", section)
    return {
        int(number): text.strip() for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def carried(slug: str) -> set[int]:
    """The numbers that tests carry."""
    marks = re.compile(rf'"{slug}-(\d+)"')
    files = (path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    return {int(number) for text in files for number in marks.findall(text)}


def documented(slug: str) -> set[int]:
    """The numbers in the vendor's document: "1 text. 2 text. …" below its heading."""
    text = (Path(DOCS) / f"{slug}.md").read_text(encoding="utf-8")
    section = re.split(r"(?m)^### [\d.]+ Nasty cases$", text)[1].split("\n#")[0]
    count = 0
    for number in re.findall(r"(?:^|[.;)?] )(\d+) ", section.strip()):
        if int(number) == count + 1:
            count += 1
    return set(range(1, count + 1))


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_every_nasty_case_has_a_test(slug):
    cases = listed(slug)
    assert sorted(cases) == list(range(1, len(cases) + 1))
    ours = {number for number, text in cases.items() if "(not ours: " not in text}
    assert carried(slug) >= ours
    assert carried(slug) <= set(cases)


if DOCS:

    @pytest.mark.parametrize("slug", sorted(PROVIDERS))
    def test_no_nasty_case_of_the_documents_is_left_out(slug):
        assert set(listed(slug)) == documented(slug)
