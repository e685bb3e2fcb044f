"""Gives the tests an environment of their own before Django's settings are read.

Loaded with `-p` from pyproject.toml, because pytest-django reads the settings before it reads any
conftest.py.
"""

import atexit
import os
import shutil
import tempfile

# A developer's .env is theirs; no test may depend on it.
os.environ["PYTHON_DOTENV_DISABLED"] = "1"
os.environ["STAGEDOOR_ENV"] = "test"
# Playwright's synchronous API runs an event loop in the thread that also uses the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

if "STAGEDOOR_DATA_DIR" not in os.environ:
    folder = tempfile.mkdtemp(prefix="stagedoor-tests-")
    os.environ["STAGEDOOR_DATA_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
