"""Stack events: none lost, none twice, oldest first, whatever the pages look like."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from opsctl.errors import RolledBack, StackFailed
from opsctl.stacks import apply
from opsctl.stacks.apply import StackEvent, Unanswered

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class History:
    """A stack's events as DescribeStackEvents gives them: newest first, in pages.

    Each `sleep` of the caller lets `grow` more events happen.
    """

    def __init__(self, total: int, *, page: int, grow: int, visible: int) -> None:
        self.total, self.page, self.grow, self.visible = total, page, grow, visible

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> Any:
        start = int(NextToken)
        events = [self._event(index) for index in range(self.visible)][::-1]
        answer: dict[str, Any] = {"StackEvents": events[start : start + self.page]}
        if start + self.page < len(events):
            answer["NextToken"] = str(start + self.page)
        return answer

    def sleep(self, seconds: float) -> None:
        self.visible = min(self.visible + self.grow, self.total)

    def _event(self, index: int) -> dict[str, Any]:
        last = index == self.total - 1
        return {
            "EventId": f"e{index}",
            "Timestamp": NOW,
            "StackName": "s",
            "LogicalResourceId": "s" if last else f"R{index}",
            "ResourceType": "AWS::CloudFormation::Stack" if last else "AWS::SNS::Topic",
            "ResourceStatus": "UPDATE_COMPLETE",
        }


@given(
    total=st.integers(2, 60),
    page=st.integers(1, 20),
    grow=st.integers(1, 25),
    seen=st.integers(0, 59),
)
def test_events_after_a_known_one_come_once_each_and_in_order(
    total: int, page: int, grow: int, seen: int
) -> None:
    seen = min(seen, total - 2)
    history = History(total, page=page, grow=grow, visible=seen + 1)

    events = apply.follow(cast(Any, history), "s", after=f"e{seen}", sleep=history.sleep)

    assert [told(event) for event in events] == [f"e{index}" for index in range(seen + 1, total)]


class Outage(History):
    """Nobody answers the second time and the third."""

    calls = 0

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> Any:
        self.calls += 1
        if self.calls in (2, 3):
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return super().describe_stack_events(StackName, NextToken)


def test_an_outage_is_told_once_and_nothing_is_lost_by_it() -> None:
    history = Outage(6, page=20, grow=2, visible=2)

    events = apply.follow(cast(Any, history), "s", after=None, sleep=history.sleep)

    assert list(map(told, events)) == ["e0", "e1", "silence", "e2", "e3", "e4", "e5"]


def told(event: StackEvent | Unanswered) -> str:
    return event.id if isinstance(event, StackEvent) else "silence"


def event(status: str, reason: str = "", *, stack: bool = True) -> StackEvent:
    kind = "AWS::CloudFormation::Stack" if stack else "AWS::ECS::Service"
    return StackEvent("e", NOW, "s", "s" if stack else "Service", "", kind, status, reason)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"])
def test_a_complete_operation_concludes_silently(status: str) -> None:
    apply.conclude(event(status), None)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_rolled_back_operation_is_never_called_done(status: str) -> None:
    cause = event("CREATE_FAILED", "no such image", stack=False)

    with pytest.raises(RolledBack, match="Service: no such image") as caught:
        apply.conclude(event(status), cause)

    assert caught.value.exit_code == 5


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"])
def test_any_other_end_is_a_failure(status: str) -> None:
    with pytest.raises(StackFailed, match="because") as caught:
        apply.conclude(event(status, "because"), None)

    assert caught.value.hint and "again" in caught.value.hint


def test_the_cause_is_told_without_the_envelope_of_the_handler() -> None:
    sentence = 'Quota "nodes" exceeded.'
    handler = "(RequestToken: 63-7e, HandlerErrorCode: GeneralServiceException)"
    wrapped = f'Resource handler returned message: "{sentence}" {handler}'

    with pytest.raises(RolledBack, match='Service: Quota "nodes" exceeded.$'):
        apply.conclude(event("ROLLBACK_COMPLETE"), event("CREATE_FAILED", wrapped, stack=False))


def test_an_echo_of_another_failure_is_not_a_cause() -> None:
    assert not event("CREATE_FAILED", "Resource creation cancelled", stack=False).is_cause
    assert event("CREATE_FAILED", "no room", stack=False).is_cause
