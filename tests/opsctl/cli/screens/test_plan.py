import pytest

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.plan import PlanScreen
from opsctl.stacks.changes import Change, PropertyChange


@pytest.mark.parametrize(
    ("replacement", "kind", "words"),
    [
        ("True", "AWS::ElastiCache::CacheCluster", " (forces replacement)"),
        ("Conditional", "AWS::ElastiCache::CacheCluster", " (may force replacement)"),
        ("False", "AWS::ElastiCache::CacheCluster", ""),
        # CloudFormation calls it conditional, and modifies the group.
        ("Conditional", "AWS::AutoScaling::AutoScalingGroup", ""),
        # Every change of one is a new revision.
        ("True", "AWS::ECS::TaskDefinition", ""),
    ],
)
def test_a_property_forces_a_replacement_only_where_there_is_one(
    replacement: str, kind: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = PropertyChange("Name", recreates=True, before="a", after="b")
    change = Change("Modify", "It", kind, replacement, (name,), "")
    PlanScreen(Console(plain=True), data=True)._change(change)
    assert capsys.readouterr().out.splitlines()[1] == f"      Name: a -> b{words}"
