"""The parts of a snapshot that the cause rules need."""

from dataclasses import replace

from opsctl.snapshot.snapshot import Look

# Every part except those that only a plan needs.
EVERYTHING = Look(
    frozenset(
        {
            *("stacks", "failures", "service", "service_deployments", "tasks", "task_definitions"),
            *("targets", "target_groups", "instances", "group", "cache", "alarms", "lines"),
            *("recent_lines", "app_errors", "start_logs", "security_groups", "registry_images"),
            *("log_groups", "identity", "cache_use", "releases", "deregistered", "secret_versions"),
        }
    ),
    releases=1,
)
STATUS = replace(
    EVERYTHING,
    parts=EVERYTHING.parts | {"machine_images", "newest_image", "mute_rules"},
)
