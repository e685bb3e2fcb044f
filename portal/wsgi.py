"""WSGI entry point, for hosts that offer nothing else."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from portal.database import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()
limit_statements(settings.DATABASES["default"], settings.DATABASE_STATEMENT_TIMEOUT)
