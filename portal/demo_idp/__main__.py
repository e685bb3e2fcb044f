"""`python -m portal.demo_idp`: the demo's identity provider under its own settings."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    # Not setdefault(): under `manage.py run` the variable names the portal's settings.
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.demo_idp.settings"
    execute_from_command_line([sys.argv[0], "serve_demo_idp"])
