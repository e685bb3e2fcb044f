"""Installs npm packages for a test; kept below `var/`, so that only the first run installs."""

import shutil
import subprocess
from pathlib import Path

from django.conf import settings

INSTALL_SECONDS = 180
QUIET = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")


def install(name: str, sources: Path) -> Path:
    """A folder with everything of `sources` (a package.json and scripts) and what it needs."""
    target = settings.BASE_DIR / "var" / "node" / name
    target.mkdir(parents=True, exist_ok=True)
    wanted, present = sources / "package.json", target / "package.json"
    for script in [*sources.glob("*.js"), *sources.glob("*.mjs")]:
        shutil.copy(script, target)
    if (target / "installed").exists() and present.read_text() == wanted.read_text():
        return target
    shutil.copy(wanted, present)
    subprocess.run(["npm", "install", *QUIET], cwd=target, check=True, timeout=INSTALL_SECONDS)
    (target / "installed").touch()
    return target
