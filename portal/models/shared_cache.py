"""The table of Django's default cache, made and emptied like every other one."""

from django.db import models


class CacheEntry(models.Model):
    """As django.core.cache.backends.db reads and writes it; nothing else does."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "cache entries"

    def __str__(self) -> str:
        return self.cache_key
