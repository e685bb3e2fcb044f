"""What one process keeps for itself and may lose; each by its own measure, so that none pushes
another out.

Django's default cache is the database (settings.CACHES): how often a password or a code was tried,
and which code was used, must hold for all processes, and no reader may make room in it.
"""

from django.core.cache import caches
from django.utils.connection import ConnectionProxy

# What readers ask for: anybody can fill this.
answers = ConnectionProxy(caches, "answers")
# What the portal notes for itself: counts by the minute, the provider's documents.
notes = ConnectionProxy(caches, "notes")
