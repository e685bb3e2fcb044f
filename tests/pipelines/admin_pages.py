"""What tests do on pages of Django's admin."""

from typing import Any

from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse


def act(client: Client, model: str, action: str, *objects: Model) -> list[str]:
    """Runs an action of a list; what it said."""
    url = reverse(f"admin:pipelines_{model}_changelist")
    chosen: dict[str, Any] = {"action": action, "_selected_action": [item.pk for item in objects]}
    return said(client.post(url, chosen))


def said(response: Any) -> list[str]:
    """The messages that an answer carries."""
    return [str(message) for message in get_messages(response.wsgi_request)]
