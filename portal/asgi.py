"""ASGI entry point: calls of the API one way, pages the other."""

import os

import django
from django.conf import settings

from portal.database import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)

from portal.api_gate import ApiGate  # noqa: E402  it has models, which Django has to load first
from portal.page_gate import PageGate  # noqa: E402

limit_statements(settings.DATABASES["default"], settings.DATABASE_STATEMENT_TIMEOUT)
_limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
application = ApiGate(PageGate(_limit), _limit)
