"""Limelight's two Jenkins: one for its services, one for the platform team."""

from typing import Any

from .parts import (
    BRANCH,
    BRANCHES,
    BUILD,
    DEPLOY,
    ENVIRONMENT,
    RED_TEST,
    REHEARSAL,
    TEST,
    git,
    step,
    token,
)

RIGHTS = ["read", "build", "cancel"]


def job(name: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    values = {
        "name": name,
        "repository": git(name),
        "branches": BRANCHES,
        "parameters": [BRANCH],
        "labels": True,
        "quiet_seconds": 2,
        "keep_builds": 100,
        "steps": steps,
        "history": 14,
    }
    return values | more


JENKINS: dict[str, Any] = {
    "vendor": "jenkins",
    "prefix": "jenkins",
    "tokens": [token("DEMO_JENKINS", rights=RIGHTS, expires_in_days=90)],
    "pipelines": [
        job("payments/payments-api", [BUILD, TEST], every_seconds=1_500),
        job(
            "payments/payments-api-deploy",
            [BUILD, TEST, DEPLOY],
            repository=git("payments/payments-api"),
            parameters=[BRANCH, ENVIRONMENT],
        ),
        job("payments/refunds", [BUILD, RED_TEST]),
        job("box-office/booking-api", [BUILD, TEST], every_seconds=900),
        job(
            "box-office/pricing-service",
            [BUILD, TEST],
            parameters=[],
            labels=False,
            kind="freestyle",
            concurrent=False,
        ),
        job(
            "front-of-house/scanner",
            [BUILD, TEST],
            parameters=[],
            branches=["main", "feature/offline-list"],
            multibranch=True,
        ),
        job(
            "front-of-house/turnstiles",
            [BUILD],
            kind="freestyle",
            disabled=True,
            description="Taken out of service.",
            history=3,
        ),
    ],
}
OPS: dict[str, Any] = {
    "vendor": "jenkins",
    "prefix": "jenkins-ops",
    "tokens": [token("DEMO_JENKINS_OPS", rights=RIGHTS, expires_in_days=400)],
    "pipelines": [
        job(
            "rehearsals/sold-out-evening",
            [step("Warm up", 20, "Filling caches"), REHEARSAL],
            concurrent=False,
            history=6,
        )
    ],
}
