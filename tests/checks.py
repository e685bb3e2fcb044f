"""`make check`: what is asked of the code besides its tests: lint, types, settings, migrations."""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = [sys.executable, "-m"]
MANAGE = [sys.executable, "manage.py"]


def production(folder: str) -> dict[str, str]:
    """The variables of a well-configured installation, whose checks must give no warning."""
    return {
        "STAGEDOOR_ENV": "production",
        "STAGEDOOR_DATA_DIR": folder,
        "SECRET_KEY": secrets.token_urlsafe(64),
        "PORTAL_URL": "https://stagedoor.example",
        "BEHIND_TLS_PROXY": "true",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "OIDC_ISSUER": "https://sso.example",
        "OIDC_CLIENT_ID": "stagedoor",
        "OIDC_CLIENT_SECRET": secrets.token_urlsafe(32),
    }


def main() -> int:
    """Runs every check, also after one has failed; 0 when all are content."""
    with tempfile.TemporaryDirectory(prefix="stagedoor-checks-") as folder:
        test = {"STAGEDOOR_ENV": "test", "STAGEDOOR_DATA_DIR": folder}
        checks = [
            ([*PYTHON, "ruff", "check"], {}),
            ([*PYTHON, "ruff", "format", "--check"], {}),
            ([*PYTHON, "mypy"], {}),
            ([*MANAGE, "check", "--deploy", "--fail-level", "WARNING"], production(folder)),
            ([*MANAGE, "makemigrations", "--check", "--dry-run"], test),
        ]
        failed = [" ".join(command[1:]) for command, extra in checks if not _passes(command, extra)]
    for command in failed:
        print(f"Not content: {command}")
    return 1 if failed else 0


def _passes(command: list[str], variables: dict[str, str]) -> bool:
    print("$", *command[1:], flush=True)
    # A developer's .env must not decide what the checks see.
    environment = {**os.environ, "PYTHON_DOTENV_DISABLED": "1", **variables}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
