"""What runs, and what was asked to run."""

from pipelines.models.builds import FINAL_STATES, MOVING_STATES, STATES, Build
from pipelines.models.environments import BrokenGlass, Environment, EnvironmentRule, Freeze
from pipelines.models.servers import (
    LinkProblem,
    Pipeline,
    PipelineLink,
    Quota,
    Server,
    VendorAccount,
)
from pipelines.models.triggers import Approval, Incident, StandingTrigger, Trigger

__all__ = [
    "FINAL_STATES",
    "MOVING_STATES",
    "STATES",
    "Approval",
    "BrokenGlass",
    "Build",
    "Environment",
    "EnvironmentRule",
    "Freeze",
    "Incident",
    "LinkProblem",
    "Pipeline",
    "PipelineLink",
    "Quota",
    "Server",
    "StandingTrigger",
    "Trigger",
    "VendorAccount",
]
