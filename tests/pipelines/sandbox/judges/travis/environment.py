"""An environment of its own for PyTravisCI, which needs a cryptography that we must not have.

Kept below `var/`, so that only the first run installs.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

INSTALL_SECONDS = 300
WANTED = ("PyTravisCI==2.0.2", "cryptography<39")


def python() -> Path:
    """The environment's interpreter. Raises SubprocessError or OSError when there can be none."""
    target: Path = settings.BASE_DIR / "var" / "python" / "pytravisci"
    ready = target / "installed"
    if not ready.exists() or ready.read_text() != str(WANTED):
        fresh = target.with_name(f"{target.name}-{os.getpid()}")
        fresh.parent.mkdir(parents=True, exist_ok=True)
        _make(fresh)
        (fresh / "installed").write_text(str(WANTED))
        shutil.rmtree(target, ignore_errors=True)
        fresh.replace(target)
    return target / "bin" / "python"


def _make(target: Path) -> None:
    """By uv, which is quicker; where it can't be had or fails, pip does the same work."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    _run(sys.executable, "-m", "venv", str(target))
    own = str(target / "bin" / "python")
    try:
        quiet = ("--quiet", "--no-cache", "--system-certs")
        _run(uv or "uv", "pip", "install", *quiet, "--python", own, *WANTED)
    except (OSError, subprocess.SubprocessError):
        _run(own, "-m", "pip", "install", "--quiet", *WANTED)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS, capture_output=True)
