"""Stack events: none lost, none twice, oldest first, whatever the pages look like."""

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from opsctl.errors import AwsError
from opsctl.snapshot import stacks
from tests.opsctl.snapshot.conftest import Stub
from tests.opsctl.snapshots import START


class History:
    """Events of so many operations, newest first and in pages, as DescribeStackEvents has them.

    Each operation has `length` events, and the last of it is the stack's own.
    """

    def __init__(self, operations: int, *, length: int, page: int, running: int = 0) -> None:
        self.total, self.page, self.length = operations * length + running, page, length
        self.pages = 0

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> Any:
        self.pages += 1
        start = int(NextToken)
        events = [self._event(index) for index in range(self.total)][::-1]
        answer: dict[str, Any] = {"StackEvents": events[start : start + self.page]}
        if start + self.page < len(events):
            answer["NextToken"] = str(start + self.page)
        return answer

    def _event(self, index: int) -> dict[str, Any]:
        last = index % self.length == self.length - 1
        return {
            "EventId": f"e{index}",
            "Timestamp": START,
            "StackName": "s",
            "LogicalResourceId": "s" if last else f"R{index}",
            "ResourceType": "AWS::CloudFormation::Stack" if last else "AWS::SNS::Topic",
            "ResourceStatus": "UPDATE_COMPLETE",
        }


def test_the_resources_of_a_large_stack_are_all_read(stub: Stub) -> None:
    client, answers = stub("cloudformation")
    for begin in (0, 100):
        made = [
            {
                "LogicalResourceId": f"R{number}",
                "ResourceType": "AWS::SNS::Topic",
                "ResourceStatus": "CREATE_COMPLETE",
                "LastUpdatedTimestamp": START,
            }
            for number in range(begin, begin + 100)
        ]
        more = {"NextToken": "more"} if begin == 0 else {}
        answers.add_response("list_stack_resources", {"StackResourceSummaries": made, **more})
    assert len(stacks.resources(client, "s")) == 200


def test_a_resource_without_a_name_is_no_answer_of_aws() -> None:
    class Pages:
        def get_paginator(self, _: str) -> "Pages":
            return self

        def paginate(self, **_: str) -> list[dict[str, object]]:
            return [{"StackResourceSummaries": [{"ResourceStatus": "CREATE_COMPLETE"}]}]

    with pytest.raises(AwsError, match="the stack's resources cannot be read: it lacks"):
        stacks.resources(cast(Any, Pages()), "s")


@given(total=st.integers(1, 60), page=st.integers(1, 20), seen=st.integers(0, 59))
def test_events_after_a_known_one_come_once_each_and_in_order(
    total: int, page: int, seen: int
) -> None:
    seen = min(seen, total - 1)
    history = History(1, length=total, page=page)
    events = stacks.events(cast(Any, history), "s", f"e{seen}")
    assert [event.id for event in events] == [f"e{index}" for index in range(seen + 1, total)]


@given(operations=st.integers(1, 5), running=st.integers(1, 9), page=st.integers(1, 20))
def test_without_a_known_one_they_are_those_of_the_operation_that_runs(
    operations: int, running: int, page: int
) -> None:
    history = History(operations, length=10, page=page, running=running)
    events = stacks.events(cast(Any, history), "s", None)
    assert [event.id for event in events] == [f"e{operations * 10 + n}" for n in range(running)]
    assert history.pages <= running // page + 1


def test_all_events_of_an_ended_operation_are_returned() -> None:
    events = stacks.events(cast(Any, History(2, length=5, page=3)), "s", None)
    assert [event.id for event in events] == [f"e{n}" for n in range(5, 10)]


def unknown() -> ClientError:
    return ClientError(
        {"Error": {"Code": "ValidationError", "Message": "Stack with id s does not exist"}}, "X"
    )


@pytest.mark.parametrize("read", [stacks.describe, stacks.newest_event])
def test_a_stack_that_is_not_there_is_none(read: Any, stub: Stub) -> None:
    cloudformation, stubber = stub("cloudformation")
    operation = "describe_stacks" if read is stacks.describe else "describe_stack_events"
    message = "Stack with id s does not exist"
    stubber.add_client_error(operation, "ValidationError", message)
    assert read(cloudformation, "s") is None


def test_another_refusal_is_raised(stub: Stub) -> None:
    cloudformation, stubber = stub("cloudformation")
    stubber.add_client_error("describe_stacks", "AccessDenied")
    with pytest.raises(ClientError):
        stacks.describe(cloudformation, "s")


def test_a_state_has_outputs_parameters_and_tags_by_name(stub: Stub) -> None:
    cloudformation, stubber = stub("cloudformation")
    described = {
        "StackName": "s",
        "StackId": "arn:s",
        "StackStatus": "UPDATE_COMPLETE",
        "CreationTime": START,
        "Outputs": [{"OutputKey": "A", "OutputValue": "1"}],
        "Parameters": [{"ParameterKey": "B", "ParameterValue": "2"}],
        "Tags": [{"Key": "opsctl:name", "Value": "web"}],
        "EnableTerminationProtection": True,
    }
    stubber.add_response("describe_stacks", {"Stacks": [described]})
    state = stacks.describe(cloudformation, "s")
    assert state is not None
    assert (state.outputs, state.parameters) == ({"A": "1"}, {"B": "2"})
    assert not state.stranger and state.protected and state.exists and not state.in_progress


def test_importers_are_listed_once_and_an_export_without_one_is_no_error(stub: Stub) -> None:
    cloudformation, stubber = stub("cloudformation")
    more = {"Imports": ["web-ecs"], "NextToken": "more"}
    stubber.add_response("list_imports", more, {"ExportName": "a"})
    stubber.add_response(
        "list_imports", {"Imports": ["z"]}, {"ExportName": "a", "NextToken": "more"}
    )
    stubber.add_client_error("list_imports", "ValidationError", "not imported by any stack")
    assert stacks.importers(cloudformation, ["a", "b"]) == ("web-ecs", "z")
