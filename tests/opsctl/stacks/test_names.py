"""The names in our own templates, and which of them a stack can take over."""

import pytest

from opsctl.errors import OpsError
from opsctl.snapshot.taken import Named
from opsctl.stacks import definition, names
from opsctl.stacks.changes import Change, Plan, PropertyChange
from opsctl.stacks.definition import Stack
from tests.opsctl.snapshots import config

CONFIG = config("ecs.service_role.create=true")
STACKS = [definition.db(CONFIG), definition.ecr(CONFIG), definition.ecs(CONFIG)]
GROUPED = config(
    "db.kind=replication_group", "db.nodes=2", "db.user=app", "db.password=secretsmanager:redis"
)


def test_every_named_resource_has_the_config_key_of_its_name() -> None:
    named = {one for stack in (*STACKS, definition.db(GROUPED)) for one in _named(stack)}
    assert {one.logical_id for one in named} == set(names._KEYS)
    group = Named(
        "InstanceSecurityGroup", "AWS::EC2::SecurityGroup", "web-instances", "vpc-00000001"
    )
    assert {group, Named("Service", "AWS::ECS::Service", "web", "web")} <= named


def test_another_user_of_the_cache_is_refused_in_the_plan() -> None:
    # Its id stays, and a user gets no other name.
    name = PropertyChange("UserName", recreates=True)
    change = Change("Modify", "User", "AWS::ElastiCache::User", "True", (name,))
    with pytest.raises(OpsError, match="User would be replaced because of UserName") as caught:
        names.require_possible(Plan(definition.db(GROUPED), "UPDATE", (change,)))
    assert caught.value.hint is not None and "another `db.name`" in caught.value.hint


def test_an_empty_template_has_no_names() -> None:
    assert names.of_template("") == ()


def test_imported_resources_stay_when_the_stack_is_deleted() -> None:
    # CloudFormation imports only what it would retain.
    taken = definition.ecs(CONFIG, frozenset({"AppLogGroup"}))
    assert taken.template.count("DeletionPolicy: RetainExceptOnCreate") == 1
    assert taken.imports == {"AppLogGroup"}
    repository = definition.ecr(CONFIG, frozenset({"Repository"}))
    assert "DeletionPolicy: RetainExceptOnCreate" in repository.template
    assert "RetainExceptOnCreate" not in definition.ecs(CONFIG).template


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.kind)
def test_a_name_that_exists_is_reported_with_its_key(stack: Stack) -> None:
    for one in _named(stack):
        with pytest.raises(Exception, match="cannot make what exists already") as caught:
            names.require_free([one], stack.name, stack.command)
        hint = getattr(caught.value, "hint", "")
        assert (names._KEYS[one.logical_id] in hint) or "--import" in hint


def _named(stack: Stack) -> tuple[Named, ...]:
    return names.of_template(stack.template)
