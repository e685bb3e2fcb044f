"""ASGI entry point: log streams are held open, which WSGI workers would block on."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
_pages = get_asgi_application()

from portal.api_gate import ApiGate  # noqa: E402  it has models, which Django has to load first
from portal.body_limit import BodyLimit  # noqa: E402

_limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
application = ApiGate(BodyLimit(_pages, _limit), _limit)
