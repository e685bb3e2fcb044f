"""The words of policy: what may be done, and by what a role is limited."""

# permission -> what a person reads
PERMISSIONS = {
    "catalog.view": "see the catalog",
    "build.view": "see builds",
    "log.view": "read build logs",
    "build.start": "start builds",
    "build.cancel": "cancel builds",
    "build.retry": "retry builds",
    "build.unblock": "unblock builds",
    "build.promote": "promote builds",
    "pipeline.activate": "switch pipelines on",
    "trigger.approve": "approve other people's requests",
    "trigger.settle": "settle requests of which nobody knows what became",
    "glass.break": "break the glass in an emergency",
    "link.confirm": "confirm a pipeline link",
    "entity.refresh": "have an entity read again",
    "source.sync": "sync a catalog source",
    "source.register": "register and unregister catalog locations",
    "source.decide": "decide who keeps a name, and let many removals happen",
    "role.grant": "give roles on a team's services",
    "policy.view": "see who may do what",
}
# What changes nothing: all that is left to somebody whose groups are known in part only.
READ_ONLY = frozenset({"catalog.view", "build.view", "log.view"})
# What a freeze stops and approvals are asked for: whatever makes something run.
RUNNING = frozenset(
    {"build.start", "build.retry", "build.unblock", "build.promote", "pipeline.activate"}
)
# What takes effect in an environment: a role in one environment gives nothing else.
IN_ENVIRONMENTS = RUNNING | {"build.cancel", "trigger.approve", "trigger.settle", "glass.break"}
# What a program never does in a person's name.
PEOPLE_ONLY = frozenset({"trigger.approve", "glass.break", "role.grant"})
# scope kind -> how an admin reads it
SCOPE_KINDS = {
    "everything": "everything",
    "team": "a team's services",
    "system": "a system",
    "service": "one service",
    "tag": "services with a tag",
    "label": "services with a label",
    "server": "a CI server",
    "pipeline": "pipelines by pattern",
}
