"""Drone 1.x and 2.x, over its REST API with a user's token."""

from pipelines.providers.drone.adapter import Drone

__all__ = ["Drone"]
