"""ASGI entry point: log streams are held open, which WSGI workers would block on."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from portal.body_limit import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = BodyLimit(get_asgi_application(), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
