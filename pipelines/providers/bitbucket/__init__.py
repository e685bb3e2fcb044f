"""Bitbucket Pipelines, over Bitbucket Cloud's REST API 2.0."""

from pipelines.providers.bitbucket.adapter import Bitbucket

__all__ = ["Bitbucket"]
