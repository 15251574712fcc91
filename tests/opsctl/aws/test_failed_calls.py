"""Failed calls, counted: what says that something is wrong, and what is only an answer."""

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from opsctl.aws.failed_calls import FailedCalls
from tests.opsctl.snapshots import START


def error(operation: str, code: str, status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": f"{code}!"},
              "ResponseMetadata": {"HTTPStatusCode": status}}  # fmt: skip
    return ClientError(answer, operation)  # type: ignore[arg-type]  # enough of an answer


@pytest.mark.parametrize(
    ("operation", "code", "counted"),
    [
        ("DescribeStacks", "ValidationError", False),  # "does not exist": an answer
        ("DescribeStacks", "AccessDenied", True),
        ("DescribeStacks", "ExpiredToken", True),
        ("DescribeTasks", "ThrottlingException", True),
        # Whoever cannot read mute rules lacks nothing that he needs.
        ("ListAlarmMuteRules", "AccessDenied", False),
        ("GetAlarmMuteRule", "ThrottlingException", False),
        ("GetCallerIdentity", "SignatureDoesNotMatch", True),
        ("CreateChangeSet", "ValidationError", True),
    ],
)
def test_only_what_is_no_answer_is_counted(operation: str, code: str, counted: bool) -> None:
    calls = FailedCalls(now=lambda: START)
    calls.add("cloudformation", operation, error(operation, code))
    assert bool(calls.take()) == counted


def test_the_same_failure_is_counted_and_returned_once() -> None:
    calls = FailedCalls(now=lambda: START)
    for _ in range(3):
        calls.add("ecs", "DescribeTasks", ConnectionClosedError(endpoint_url="http://x"))
    [call] = calls.take()
    assert (call.operation, call.fault, call.times) == ("ecs:DescribeTasks", "unreachable", 3)
    assert calls.take() == ()


def test_an_error_of_our_own_is_none_of_awss() -> None:
    calls = FailedCalls()
    calls.add("ecs", "DescribeTasks", KeyError("x"))
    assert calls.take() == ()


def test_the_first_failure_of_each_way_is_passed_on_at_once() -> None:
    passed: list[tuple[str, int]] = []
    calls = FailedCalls(now=lambda: START)
    calls.first = lambda call: passed.append((call.operation, call.times))
    for _ in range(3):
        calls.add("ecs", "DescribeTasks", error("DescribeTasks", "ThrottlingException"))
    calls.add("ecs", "ListTasks", error("ListTasks", "ThrottlingException"))
    assert passed == [("ecs:DescribeTasks", 1), ("ecs:ListTasks", 1)]
    calls.take()
    calls.add("ecs", "ListTasks", error("ListTasks", "ThrottlingException"))
    assert len(passed) == 3
