"""The ground floor: settings, people, policy, audit, secrets, outgoing HTTP, the page shell."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
