"""The service's stack and its instances belong to one command, one preview and one question."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsctl.errors import OpsError
from opsctl.procedure import Notice, Overtaken
from opsctl.rollout import ecs
from opsctl.rollout.instances import InstancePlan, Machine, Step
from opsctl.snapshot.snapshot import Look, Snapshot
from opsctl.snapshot.stacks import StackState
from opsctl.snapshot.taken import MACHINE_IMAGE
from opsctl.snapshot.targets import Target
from opsctl.stacks import definition
from opsctl.stacks.changes import Plan
from tests.opsctl.rollout.fleet import Fleet
from tests.opsctl.snapshots import Driven, config, event, stack
from tests.opsctl.stacks.fake import Clients, CloudFormation

CONFIG = config("ecs.desired_count=4", "compute.instance_type=t3.small")
NOW = Machine("ami-1", "t3.small", definition.machine(CONFIG))
NEWER = replace(NOW, image="ami-2")


class World:
    """A live system: its stacks, and a group of instances that were started as `old`."""

    def __init__(self, *, old: Machine = NOW, changes: tuple[str, ...] = ()) -> None:
        self.fleet = Fleet(NOW, old=old)
        self.cloudformation = CloudFormation(changes=changes)
        self.cloudformation.template = definition.ecs(CONFIG).template
        self.newest = "ami-1"
        self.taken: set[str] = set()
        self.images = {"ami-1", "ami-2"}
        self.deleted = False
        self.deregistered = ""
        values = {"Image": "repository@sha256:1", "DesiredCount": "4", "AmiId": "ami-1"}
        outputs = {
            "ConfiguredCount": "4",
            "ConfiguredInstances": "2 instances (0 to 2)",
            "ServiceName": "web",
        }
        self.ecs: StackState | None = stack(
            "ecs", "UPDATE_COMPLETE", parameters=values, outputs=outputs
        )
        self.db: StackState | None = stack("db", "CREATE_COMPLETE")

    @property
    def clients(self) -> Any:
        return cast(Any, Clients(self.cloudformation, autoscaling=self.fleet, ecs=self.fleet))

    def look(self, look: Look) -> Snapshot:
        now = self.fleet.look(look)
        ecr = stack("ecr", "CREATE_COMPLETE")
        states: dict[Any, Any] = {"ecr": ecr, "ecs": self.ecs, "db": self.db}
        there = {kind: state for kind, state in states.items() if state is not None}
        events = (event("e1", "UPDATE_COMPLETE"),) if "events" in look.parts else ()
        taken = tuple(
            one
            for one in look.wanted
            if one.name in (self.images if one.type == MACHINE_IMAGE else self.taken)
        )
        now = replace(now, service=None) if self.deleted else now
        now = replace(now, newest_image=self.newest, deregistered=self.deregistered)
        return replace(now, stacks=there, events=events, taken=taken)

    def up(self, *answers: bool, **more: Any) -> Driven:
        return Driven(ecs.up(self.clients, CONFIG, ecs.Options(**more)), self.look, answers)

    def preview(self, **more: Any) -> Driven:
        return Driven(ecs.preview(self.clients, CONFIG, ecs.Options(**more)), self.look)


def test_without_the_cache_there_is_nothing_to_connect_to() -> None:
    world = World()
    world.db = None
    with pytest.raises(OpsError, match="no stack `web-db`") as caught:
        world.up()
    assert caught.value.hint == "opsctl db up" and world.cloudformation.calls == []


@pytest.mark.parametrize("status", ["ROLLBACK_FAILED", "CREATE_IN_PROGRESS", "DELETE_FAILED"])
def test_a_cache_whose_creation_failed_is_repaired_first(status: str) -> None:
    world = World()
    world.db = stack("db", status)
    with pytest.raises(OpsError, match=f"`web-db` is {status}.*`web-ecs` needs") as caught:
        world.up()
    assert caught.value.hint == "opsctl db up" and world.cloudformation.calls == []


def test_a_system_without_differences_asks_no_question() -> None:
    driven = World().up()
    assert driven.result.kind == "no-changes" and driven.questions == []
    assert driven.of(InstancePlan) == []


def test_a_preview_shows_instances_that_differ_and_counts_them_as_a_change() -> None:
    world = World(old=replace(NOW, type="t3.large"))
    driven = world.preview()
    assert driven.result is True
    [plan] = driven.of(InstancePlan)
    assert {one.instance for one in plan.replacements} == {one.id for one in world.fleet.alive}


def test_instances_that_differ_alone_have_a_question_of_their_own() -> None:
    world = World(old=replace(NOW, type="t3.large"))
    driven = world.up(True)
    assert driven.result.kind == "done"
    assert [one.text for one in driven.questions] == ["replace 2 instances of `web`?"]
    assert driven.of(Step)[-1].action == "done"


def test_a_newer_image_is_only_reported() -> None:
    world = World()
    world.newest = "ami-2"
    driven = world.up()
    assert driven.result.kind == "no-changes"
    assert "a newer image for the instances is out: ami-2" in driven.of(Notice)[0].text


def test_a_newer_image_that_was_asked_for_changes_the_stack_and_then_the_instances() -> None:
    world = World()
    world.newest = "ami-2"
    world.fleet.machine = NEWER
    driven = world.preview(new_image=True)
    assert driven.result is True
    assert {one.why for one in driven.of(InstancePlan)[0].replacements} == {
        "its image is ami-1, not ami-2"
    }


def test_after_the_answer_to_the_change_the_instances_follow_without_another_question() -> None:
    world = World(old=replace(NOW, type="t3.large"))
    described = world.cloudformation.describe_change_set
    only_ecs = lambda **given: (  # noqa: E731
        {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
        if "ecr" in str(world.cloudformation.change_sets[given["ChangeSetName"]]["StackName"])
        else described(**given)
    )
    world.cloudformation.changes = ("LaunchTemplate",)
    world.cloudformation.describe_change_set = only_ecs  # type: ignore[method-assign]  # our fake
    driven = world.up(True)
    assert driven.result.kind == "done" and len(driven.questions) == 1
    assert [plan.stack.kind for plan in driven.of(Plan)] == ["ecr", "ecs"]
    assert driven.of(Step)[-1].action == "done"


def test_existing_log_groups_are_imported_only_on_request() -> None:
    world = World()
    world.ecs = None
    world.taken = {"/web/app"}
    with pytest.raises(OpsError, match="AWS::Logs::LogGroup `/web/app`"):
        world.preview()
    [_, plan] = world.preview(imports=True).of(Plan)
    [taken] = [one for one in plan.changes if one.action == "Import"]
    assert taken.logical_id == "AppLogGroup"
    assert plan.stack.imports == {"AppLogGroup"}


def test_deletion_protection_is_seen_before_the_service_is_gone() -> None:
    world = World()
    world.cloudformation.resources = [
        {
            "LogicalResourceId": "LoadBalancer",
            "PhysicalResourceId": "arn:balancer",
            "ResourceType": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "ResourceStatus": "CREATE_COMPLETE",
        }
    ]
    attributes = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    elbv2 = SimpleNamespace(
        describe_load_balancer_attributes=lambda **_: {"Attributes": attributes}
    )
    clients = cast(Any, Clients(world.cloudformation, elbv2=elbv2))
    with pytest.raises(OpsError, match="has deletion protection"):
        Driven(ecs.down(clients, CONFIG, repository=False), world.look)
    assert world.cloudformation.deleted == []


def test_after_a_no_no_instance_is_touched() -> None:
    world = World(old=replace(NOW, type="t3.large"))
    assert world.up(False).result.kind == "cancelled"
    assert world.fleet.calls == []


def test_a_service_that_somebody_deleted_comes_back_only_by_reverting_drift() -> None:
    # A3: `ecs up` said "no changes", `update-tasks` said `opsctl ecs up`, and so in a circle.
    world = World()
    arn = "arn:aws:ecs:eu-west-1:1:service/web/web"
    world.cloudformation.resources = [
        {
            "LogicalResourceId": "Service",
            "ResourceType": "AWS::ECS::Service",
            "ResourceStatus": "CREATE_COMPLETE",
            "PhysicalResourceId": arn,
        }
    ]
    world.deleted = True
    [notice] = [one for one in world.up().of(Notice) if "deleted" in one.text]
    assert "deleted the AWS::ECS::Service `web`" in notice.text and notice.warning
    assert notice.text.endswith("opsctl ecs up --revert-drift")


@pytest.mark.parametrize(("bounds", "words"), [((1, 3), "1 task will stop"), ((4, 9), "")])
def test_a_count_out_of_the_bounds_of_new_scaling_is_said(
    bounds: tuple[int, int], words: str
) -> None:
    least, most = bounds
    scaled = config(f"ecs.scaling={{minimum: {least}, maximum: {most}, cpu_percent: 60}}")
    world = World()
    notices = Driven(ecs.preview(world.clients, scaled), world.look).of(Notice)
    assert "".join(one.text for one in notices if "scaling" in one.text).endswith(words)


def test_a_machine_image_that_nobody_sees_is_refused_before_anything_is_asked() -> None:
    world = World()
    there_is_none = config("ecs.desired_count=4", "compute.ami=ami-00000009")
    with pytest.raises(OpsError, match="sees no machine image ami-00000009 for x86_64") as caught:
        Driven(ecs.up(world.clients, there_is_none), world.look)
    assert "correct `compute.ami`" in (caught.value.hint or "")
    assert not world.cloudformation.executed


def test_a_withdrawn_machine_image_is_told_and_stops_no_update() -> None:
    world = World()
    world.images.discard("ami-1")
    driven = world.up()
    [notice] = [one for one in driven.of(Notice) if "withdrawn" in one.text]
    assert notice.warning and notice.text.endswith("opsctl ecs up --new-ami")
    assert driven.result.good


def test_a_task_definition_that_somebody_deregistered_is_made_anew() -> None:
    world = World()
    world.deregistered = "web:1"
    driven = world.up()
    [notice] = [one for one in driven.of(Notice) if "deregistered" in one.text]
    assert notice.warning and "web:1" in notice.text
    assert notice.text.endswith("it is made anew, and the tasks are rolled")
    [plan] = [one for one in driven.of(Plan) if one.stack.kind == "ecs"]
    assert plan.stack.parameters["Deregistered"] == "web:1"


def test_a_group_that_was_resized_by_hand_is_reported() -> None:
    world = World()
    world.fleet.allow(7)
    [notice] = [one for one in world.up().of(Notice) if "by hand" in one.text]
    assert notice.text == (
        "`asg` has 2 instances (0 to 7), its stack asks for 2 instances (0 to 2): somebody set "
        "that by hand; to set it back: opsctl ecs up --revert-drift"
    )


def test_a_size_that_only_the_config_has_changed_is_not_called_set_by_hand() -> None:
    world = World()
    world.fleet.allow(2)
    larger = config("ecs.desired_count=4", "compute.instance_type=t3.small", "compute.maximum=9")
    driven = Driven(ecs.up(world.clients, larger), world.look)
    assert not [one for one in driven.of(Notice) if "by hand" in one.text]


def test_a_group_that_was_set_to_zero_by_hand_is_reported() -> None:
    # Without an instance left, `ecs plan` said nothing but "no changes".
    world = World()
    world.fleet.resize(0)
    world.fleet.pass_time(120)
    [notice] = [one for one in world.up().of(Notice) if "by hand" in one.text]
    assert notice.text.startswith("`asg` has 0 instances (0 to 3), its stack asks for 2 ")


def test_reverting_drift_takes_the_configured_count_and_asks_for_a_look_at_what_is_there() -> None:
    world = World()
    world.fleet.scale(6)
    driven = world.preview(reverts_drift=True)
    [plan] = [one for one in driven.of(Plan) if one.stack.kind == "ecs"]
    assert plan.stack.reverts_drift and plan.stack.parameters["DesiredCount"] == "4"
    assert driven.of(Notice) == []


def test_a_count_that_somebody_sets_before_the_answer_stays() -> None:
    # The first look's count went out with the change set, minutes later.
    world = World(changes=("Topic",))

    def meanwhile(operation: str) -> None:
        # The second lock is the service's: the repository's change is done.
        if world.cloudformation.executed and operation == "GetParametersByPath":
            world.fleet.scale(6)

    clients = world.clients
    clients.ssm.before = meanwhile
    procedure = ecs.up(clients, CONFIG, ecs.DEFAULTS)
    driven = Driven(procedure, world.look, [True, True, True])
    assert driven.result.kind == "done" and len(driven.questions) == 3
    counts = [plan.stack.parameters.get("DesiredCount") for plan in driven.of(Plan)]
    assert counts == [None, "4", "6"]
    [overtaken] = driven.of(Overtaken)
    assert overtaken.text == "somebody set DesiredCount 6; looking again"


def test_a_bigger_maximum_makes_the_room_that_the_instances_lack() -> None:
    # "set `compute.maximum: 3`, then run: opsctl ecs up", which refused for the same lack of room.
    world = World(old=replace(NOW, type="t3.large"))
    world.fleet.allow(2)
    world.fleet.scale(8)
    world.fleet.pass_time(600)
    bigger = config("ecs.desired_count=4", "compute.instance_type=t3.small", "compute.maximum=3")
    with pytest.raises(OpsError, match="the group may not grow beyond 2"):
        world.preview()
    driven = Driven(ecs.preview(world.clients, bigger), world.look)
    [plan] = driven.of(InstancePlan)
    assert plan.grow


def test_a_name_to_which_something_would_be_renamed_must_be_free() -> None:
    world = World(changes=("AppLogGroup",))
    held = {"LogicalResourceId": "AppLogGroup", "PhysicalResourceId": "/before",
            "ResourceType": "AWS::Logs::LogGroup", "ResourceStatus": "CREATE_COMPLETE"}  # fmt: skip
    world.cloudformation.resources = [held]
    assert world.preview().result is True
    world.taken = {"/web/app"}
    for more in ({}, {"imports": True}):
        with pytest.raises(OpsError, match="exists already: AWS::Logs::LogGroup `/web/app`") as at:
            world.preview(**more)
        assert at.value.hint is not None and at.value.hint.startswith("set `logs.app`")


def test_a_security_group_is_renamed_only_to_a_name_that_is_free() -> None:
    # Its physical id does not say what it is called; the stack's own template does.
    world = World(changes=("InstanceSecurityGroup",))
    held = {"LogicalResourceId": "InstanceSecurityGroup", "PhysicalResourceId": "sg-0123"}
    kind = {"ResourceType": "AWS::EC2::SecurityGroup", "ResourceStatus": "CREATE_COMPLETE"}
    world.cloudformation.resources = [held | kind]
    world.taken = {"web-others"}
    named = config("compute.security_group_name=web-others")
    world.cloudformation.template = definition.ecs(named).template
    assert Driven(ecs.preview(world.clients, named), world.look).result is True
    world.cloudformation.template = definition.ecs(config()).template
    with pytest.raises(OpsError, match="AWS::EC2::SecurityGroup `web-others`") as at:
        Driven(ecs.preview(world.clients, named), world.look)
    assert at.value.hint is not None and "`compute.security_group_name`" in at.value.hint


def test_a_listener_that_somebody_deleted_is_in_the_plan() -> None:
    world = World()
    live = world.look
    unused = (Target("i-1:80", "unused", "Target.NotInUse"),)
    world.look = lambda look: replace(live(look), targets=unused)  # type: ignore[method-assign]
    texts = [one.text for one in world.preview().of(Notice)]
    assert any("no listener" in text and "--revert-drift" in text for text in texts)
