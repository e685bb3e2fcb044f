"""`manage.py demo`: loads Limelight, the demo organisation, into an empty portal.

It lies in the top room because it fills all three. What it once loaded it never changes again:
from then on the rows are the administrator's.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from catalog import runs, sync
from catalog.models import Source, SyncRun
from pipelines.models import Environment, EnvironmentRule, Freeze, Server
from portal.models import Role, RoleMapping
from portal.processes import DEMO_WEBHOOK_SECRET

SOURCE = "limelight"


@dataclass(frozen=True)
class DemoServer:
    """A server of the sandbox; `prefix` is its path there, `credential` a variable's name."""

    slug: str
    name: str
    provider: str
    prefix: str
    credential: str
    pipelines: str  # glob of what the demo's descriptors may link for triggering


SERVERS = (
    DemoServer("jenkins", "Jenkins", "jenkins", "jenkins", "DEMO_JENKINS", "*"),
    # Nobody's descriptor may claim these: an administrator confirms each link.
    DemoServer("jenkins-ops", "Jenkins (ops)", "jenkins", "jenkins-ops", "DEMO_JENKINS_OPS", ""),
    DemoServer(
        "buildkite", "Buildkite", "buildkite", "buildkite/v2", "DEMO_BUILDKITE", "limelight/*"
    ),
    DemoServer("drone", "Drone", "drone", "drone", "DEMO_DRONE", "limelight/*"),
    DemoServer("travis", "Travis CI", "travis", "travis", "DEMO_TRAVIS", "limelight/*"),
    DemoServer(
        "bitbucket", "Bitbucket", "bitbucket", "bitbucket/2.0", "DEMO_BITBUCKET", "limelight/*"
    ),
)
OPTIONS = {
    "buildkite": {"organizations": ["limelight"]},
    "bitbucket": {"workspaces": ["limelight"]},
}
FREEZE_IN, FREEZE_FOR = timedelta(days=21), timedelta(days=2)
ENVIRONMENTS = (
    ("development", "Development", 10),
    ("staging", "Staging", 20),
    ("production", "Production", 30),
)
# Jenkins can't be told which commit to build, so whoever approves there trusts the branch.
PRODUCTION = {"approvals": 1, "allow_unpinned": True, "protected_branches": "main"}
# order, pipeline glob, branch glob, parameter glob, environment
RULES = (
    (10, "*", "*", "ENVIRONMENT=production", "production"),
    (20, "*", "*", "ENVIRONMENT=staging", "staging"),
    (30, "*", "*", "ENVIRONMENT=development", "development"),
    (12, "*", "*", "PIPELINE=deploy-production", "production"),
    (14, "*", "*", "PROMOTE_TO=production", "production"),
    (22, "*", "*", "PIPELINE=deploy-staging", "staging"),
    (24, "*", "*", "PROMOTE_TO=staging", "staging"),
    (40, "*-deploy", "*", "", "production"),
    (50, "*", "main", "", "staging"),
    (60, "*", "*", "", "development"),
)
# group, role, scope kind, scope ref, environment, why
MAPPINGS = (
    ("payments-deployers", "deployer", "team", "group:default/payments", "", "They run Payments."),
    (
        "payments-testers",
        "deployer",
        "team",
        "group:default/payments",
        "development",
        "They try things out where it hurts nobody.",
    ),
    (
        "box-office-deployers",
        "deployer",
        "system",
        "system:default/box-office",
        "",
        "They run the box office.",
    ),
    (
        "discovery-deployers",
        "deployer",
        "team",
        "group:default/discovery",
        "",
        "They run search and recommendations.",
    ),
    (
        "front-of-house-developers",
        "developer",
        "team",
        "group:default/front-of-house",
        "",
        "They mend builds; others release.",
    ),
    ("platform-deployers", "deployer", "everything", "", "development", "They help every team."),
    ("platform-deployers", "deployer", "everything", "", "staging", "They help every team."),
    ("stagedoor-admins", "admin", "everything", "", "", "They look after Stagedoor."),
)


class Command(BaseCommand):
    help = "Loads the demo organisation, once; never in production."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo organisation is not for production.")
        _follow_the_sandbox()
        if Source.objects.exists() or Server.objects.exists() or RoleMapping.objects.exists():
            return
        self.stdout.write("Loading the demo organisation")
        with transaction.atomic():
            _create_servers()
            _create_environments()
            _create_mappings()
            source = _create_source()
        # Should this fail, the schedule reads the source again in a minute, and says so.
        sync.run(runs.request(source, SyncRun.Cause.COMMAND).pk)


def _create_servers() -> None:
    for server in SERVERS:
        claims = [{"source": SOURCE, "pipelines": server.pipelines}] if server.pipelines else []
        Server.objects.create(
            slug=server.slug,
            name=server.name,
            provider=server.provider,
            base_url=f"{settings.SANDBOX_URL}/{server.prefix}",
            credential_ref=f"env:STAGEDOOR_CREDENTIAL_{server.credential}",
            options=OPTIONS.get(server.slug, {}),
            webhook_secret_ref=f"env:{DEMO_WEBHOOK_SECRET}",
            claims=claims,
        )


def _create_environments() -> None:
    environments = {
        slug: Environment.objects.create(slug=slug, name=name, rank=rank)
        for slug, name, rank in ENVIRONMENTS
    }
    Environment.objects.filter(slug="production").update(**PRODUCTION)
    _create_freeze(environments["production"])
    for order, pipeline, branch, parameter, environment in RULES:
        EnvironmentRule.objects.create(
            order=order,
            pipeline=pipeline,
            branch=branch,
            parameter=parameter,
            environment=environments[environment],
        )


def _create_freeze(production: Environment) -> None:
    """One to come, so that the page of freezes shows what one looks like, and stops nobody."""
    starts = timezone.now().replace(hour=18, minute=0, second=0, microsecond=0) + FREEZE_IN
    Freeze.objects.create(
        environment=production,
        scope_kind="system",
        scope_ref="system:default/box-office",
        starts_at=starts,
        ends_at=starts + FREEZE_FOR,
        reason="Opening night: thousands buy at once.",
    )


def _create_mappings() -> None:
    roles = {role.slug: role for role in Role.objects.all()}
    for group, role, kind, ref, environment, why in MAPPINGS:
        RoleMapping.objects.create(
            group=f"{settings.OIDC_ISSUER_SLUG}:{group}",
            role=roles[role],
            scope_kind=kind,
            scope_ref=ref,
            environment=environment,
            note=why,
        )


def _create_source() -> Source:
    return Source.objects.create(
        slug=SOURCE,
        name="Limelight",
        kind=Source.Kind.PATH,
        # Below the folder of CATALOG_PATHS, so that the clone may move.
        target="catalog-info.yaml",
        trusted_for_org=True,
        interval_seconds=60,
    )


def _follow_the_sandbox() -> None:
    """The demo's servers move with SANDBOX_URL, as long as nobody pointed them elsewhere."""
    for server in SERVERS:
        row = Server.objects.filter(slug=server.slug).first()
        if row is None:
            continue
        was = urlsplit(row.base_url)
        untouched = was.hostname == "127.0.0.1" and was.path == f"/{server.prefix}"
        now = f"{settings.SANDBOX_URL}/{server.prefix}"
        if untouched and row.base_url != now:
            Server.objects.filter(pk=row.pk).update(base_url=now)
