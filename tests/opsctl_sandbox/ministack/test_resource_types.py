"""The table of resource types: each handler is replaced once, or not at all."""

from collections.abc import Iterator
from typing import Any

import pytest

# This process never runs the sandbox's server, so ministack is as it comes.
from ministack.services.cloudformation import provisioners

from opsctl_sandbox.ministack.resource_types import ResourceTypes

TYPE = "AWS::ECS::Service"


@pytest.fixture
def types() -> Iterator[ResourceTypes]:
    plain = dict(provisioners._RESOURCE_HANDLERS)
    yield ResourceTypes()
    provisioners._RESOURCE_HANDLERS.clear()
    provisioners._RESOURCE_HANDLERS.update(plain)


def test_a_second_handler_of_a_type_is_an_error_and_never_undoes_the_first(
    types: ResourceTypes,
) -> None:
    def first(*arguments: Any) -> None: ...

    types.replace(TYPE, {"create": first})
    with pytest.raises(ValueError, match="AWS::ECS::Service has two handlers"):
        types.replace(TYPE, {"create": lambda *arguments: None})

    assert provisioners._RESOURCE_HANDLERS[TYPE]["create"] is first


def test_what_is_not_replaced_of_a_handler_stays_ministack_s(types: ResourceTypes) -> None:
    delete = types.plain(TYPE)["delete"]
    types.replace(TYPE, {"create": lambda *arguments: None})
    assert types.plain(TYPE)["delete"] is delete
