"""Buildkite, over its REST API v2 with an API access token."""

from pipelines.providers.buildkite.adapter import Buildkite

__all__ = ["Buildkite"]
