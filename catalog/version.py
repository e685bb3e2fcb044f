"""The catalog's version: what is derived from the whole catalog may be kept while it stands."""

from django.db.models import F

from catalog.models import CatalogState

ROW = 1
# For the API, which asks it together with the caller's token (catalog/apps.py).
QUERY = "SELECT version FROM catalog_catalogstate WHERE id = 1"


def current() -> int:
    """One query by primary key."""
    found = CatalogState.objects.filter(pk=ROW).values_list("version", flat=True).first()
    return found or 0


def bump() -> None:
    """In the transaction that changes what lists, facets or the API show."""
    if not CatalogState.objects.filter(pk=ROW).update(version=F("version") + 1):
        CatalogState.objects.get_or_create(pk=ROW, defaults={"version": 1})
