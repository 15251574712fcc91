"""The instances of a group: launched when the group lacks some, and when AWS can."""

from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.values import GroupSpec


def test_a_group_launches_nothing_from_an_image_that_is_not_there() -> None:
    images = {"ami-0ec52023000000001"}
    engine = Engine(0, holds=lambda need, name: need != "machine image" or name in images)
    spec = GroupSpec("asg", "web", 1, 0, 2, ("a", "b"), image="ami-0ec52023000000001")
    group = engine.create_group(spec)
    engine.advance(60.0)
    assert len(engine.world.instances) == 1
    images.clear()
    engine.update_group(GroupSpec("asg", "web", 2, 0, 2, ("a", "b"), image=spec.image))
    engine.advance(120.0)
    assert len(engine.world.instances) == 1
    assert (group.activities[0].status, group.activities[0].message) == (
        "Failed",
        "The image id '[ami-0ec52023000000001]' does not exist. Launching EC2 instance failed.",
    )
