"""One style sheet for every page, made of the files that people edit.

A drawn page should take few requests; eight sheets of four kilobytes each are none of them. There
is no build step: `collectstatic` and the development server both find the bundle here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

BUNDLE = "css/stagedoor.css"
# In the order that matters; tokens.css names the cascade's layers for all that follow.
SHEETS = (
    "tokens",
    "elements",
    "layout",
    "components",
    "tables-forms",
    "shell",
    "pipelines",
    "docs",
    "catalog",
)


class BundleFinder(BaseFinder):
    """Finds css/stagedoor.css, written anew whenever one of its sheets has changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder = settings.DATA_DIR / "bundle"
        self.sheets = [settings.BASE_DIR / "static" / "css" / f"{name}.css" for name in SHEETS]

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> str | list[str]:
        """The file's place; an empty list for every other path, as the base class asks."""
        if path != BUNDLE:
            return []
        written = str(self._write())
        return [written] if find_all or kwargs.get("all") else written

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        self._write()
        yield BUNDLE, FileSystemStorage(location=self.folder)

    def _write(self) -> Path:
        target = self.folder / BUNDLE
        text = "\n".join(sheet.read_text(encoding="utf-8") for sheet in self.sheets)
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            part.write_text(text, encoding="utf-8")
            part.replace(target)  # never half a file, whoever asks meanwhile
        return target
