"""Jenkins, over its remote API with a user's API token."""

from pipelines.providers.jenkins.adapter import Jenkins

__all__ = ["Jenkins"]
