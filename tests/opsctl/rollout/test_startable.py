"""No instance is drained while no task could start on another one."""

from dataclasses import replace
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.rollout import roll_instances
from opsctl.rollout.instances import Machine
from opsctl.snapshot.log_groups import LogGroup
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.task_definitions import LogStream
from opsctl.stacks import definition
from tests.opsctl.rollout.fleet import Fleet
from tests.opsctl.snapshots import Driven, config

CONFIG = config("ecs.desired_count=4", "compute.instance_type=t3.small")
MACHINE = Machine("ami-new", "t3.small", definition.machine(CONFIG))
STDOUT = (LogStream("/web/stdout", "x", "web"),)


@pytest.mark.parametrize("exists", [False, True])
def test_a_missing_log_group_is_told_before_anything_is_drained(exists: bool) -> None:
    # It drained an instance all the same, and waited half an hour for tasks that could not start.
    fleet = Fleet(MACHINE, old=replace(MACHINE, image="ami-old"))

    def look(wanted: Look) -> Snapshot:
        now = fleet.look(wanted)
        definitions = tuple(replace(one, logs=STDOUT) for one in now.task_definitions)
        groups = (LogGroup("/web/stdout", exists),)
        return replace(now, task_definitions=definitions, log_groups=groups)

    procedure = roll_instances.roll_instances(cast(Any, fleet), CONFIG)
    if exists:
        assert Driven(procedure, look, [False]).result.kind == "cancelled"
        return
    with pytest.raises(OpsError, match="no task could start on another instance: the log group"):
        Driven(procedure, look)
    assert fleet.calls == []
