"""Every page links one style sheet, made of the files that people edit."""

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

from portal.static_bundle import BUNDLE, SHEETS


def test_the_bundle_holds_every_sheet_in_order(settings):
    bundle = Path(finders.find(BUNDLE)).read_text(encoding="utf-8")
    at = []
    for name in SHEETS:
        sheet = (settings.BASE_DIR / "static" / "css" / f"{name}.css").read_text(encoding="utf-8")
        at.append(bundle.index(sheet))
    assert at == sorted(at)


def test_every_sheet_of_the_pages_is_in_the_bundle(settings):
    apart = {"account", "admin", "admin-forms", "entity"}  # linked where they are needed only
    found = {path.stem for path in (settings.BASE_DIR / "static" / "css").glob("*.css")}
    assert found == set(SHEETS) | apart


def test_collectstatic_takes_the_bundle(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    call_command("collectstatic", interactive=False, verbosity=0)
    assert (tmp_path / BUNDLE).stat().st_size > 10_000


def test_the_finder_knows_nothing_else():
    assert finders.find("css/none.css") is None


@pytest.mark.django_db
def test_pages_are_compressed_for_who_takes_it(admin_client):
    page = admin_client.get("/catalog/", HTTP_ACCEPT_ENCODING="gzip")
    assert page["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page["Vary"]
