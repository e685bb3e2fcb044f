"""Travis CI, over its API v3 with a user's API token."""

from pipelines.providers.travis.adapter import Travis

__all__ = ["Travis"]
