"""What of a system of 0.1.0 changes is what docs/upgrading.md says, and nothing is replaced.

`tests/golden/0.1.0` holds what opsctl 0.1.0 rendered for the same config.
"""

from pathlib import Path
from typing import Any

import pytest

from opsctl.stacks import template

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/upgrading.md").read_text(encoding="utf-8")
# Resource -> what of it differs, each spoken of in a row of the page.
CHANGED = {
    "db": {},
    "ecs": {
        "TaskDefinition": {"ContainerDefinitions", "Condition"},
        "Service": {"Condition"},
        "LaunchTemplate": {"LaunchTemplateData"},
        "AutoScalingGroup": {"MetricsCollection", "UpdatePolicy"},
    },
}


def parts(resource: dict[str, Any]) -> dict[str, Any]:
    return {**{key: resource[key] for key in resource}, **resource.get("Properties", {})}


@pytest.mark.parametrize("kind", ["db", "ecs"])
def test_only_what_the_page_names_differs_from_0_1_0(kind: str) -> None:
    before, after = (
        template.read((ROOT / "tests/golden" / version / f"{kind}.yaml").read_text())
        for version in ("0.1.0", ".")
    )
    assert set(before["Resources"]) == set(after["Resources"])
    assert before.get("Parameters", {}).keys() == after.get("Parameters", {}).keys()
    assert set(after["Outputs"]) - set(before["Outputs"]) == (
        {"ConfiguredCount", "ConfiguredDeployment", "ConfiguredInstances", "ListenerPort"}
        if kind == "ecs"
        else set()
    )
    found = {}
    for name, resource in before["Resources"].items():
        old, new = parts(resource), parts(after["Resources"][name])
        differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        if differing := differing - {"Properties"}:
            found[name] = differing
    assert found == CHANGED[kind]


def test_the_health_check_and_the_users_are_all_that_changed_of_the_container() -> None:
    before, after = (
        template.read((ROOT / "tests/golden" / version / "ecs.yaml").read_text())["Resources"]
        for version in ("0.1.0", ".")
    )
    [old] = before["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    [new] = after["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert {key for key in new if new[key] != old.get(key)} == {"HealthCheck"}


@pytest.mark.parametrize(
    "words", ["Released", "health check", "user data", "update policy", "metrics", "no changes"]
)
def test_the_page_names_each_of_them(words: str) -> None:
    assert words in PAGE
