"""The table of what each provider can do says what the adapters say."""

import re
from pathlib import Path

import pytest

from pipelines.providers import PROVIDERS
from pipelines.providers import __file__ as providers
from pipelines.providers.base import Capability

README = Path(providers).parent / "README.md"
HEADINGS = [
    *("Credential", "Options", "Annotations", "Requests", "States", "Waiting for a person"),
    *("Logs", "Limits", "Webhooks", "What it can't do", "Nasty cases"),
]


def table() -> dict[str, dict[str, bool]]:
    """Capability -> label -> whether the README says yes."""
    text = README.read_text(encoding="utf-8").partition("| capability |")[2].partition("\n\n")[0]
    first, _, *rows = text.splitlines()
    labels = [cell.strip() for cell in first.strip(" |").split("|")]
    found = {}
    for row in rows:
        name, *cells = [cell.strip() for cell in row.strip(" |").split("|")]
        found[name.strip("`")] = dict(zip(labels, (cell == "yes" for cell in cells), strict=True))
    return found


def test_the_table_holds_every_capability_and_every_provider():
    found = table()
    assert set(found) == {str(capability) for capability in Capability}
    for capability, said in found.items():
        true = {
            adapter.label.removesuffix(" Pipelines"): Capability(capability) in adapter.capabilities
            for adapter in PROVIDERS.values()
        }
        assert said == true, capability


def test_every_provider_has_a_readme_of_its_own():
    linked = set(re.findall(r"\((\w+)/README\.md\)", README.read_text(encoding="utf-8")))
    assert linked == set(PROVIDERS)


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_the_readmes_of_all_providers_read_alike(slug):
    text = (README.parent / slug / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^##+ (.*)", text) == HEADINGS


@pytest.mark.parametrize("slug", sorted(PROVIDERS))
def test_the_readme_names_every_word_of_a_state(slug):
    text = (README.parent / slug / "README.md").read_text(encoding="utf-8")
    states = text.partition("## States\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"[\w ]+", states)) | set(re.findall(r"\w+", states))
    ours = {"QUEUED", "BUILDING"} if slug == "jenkins" else set()
    assert set(PROVIDERS[slug].states) - named - ours == set()
