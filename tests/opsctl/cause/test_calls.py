"""Calls that failed: which cause they are, whether they hinder, and in whose words."""

from opsctl.aws import FailedCall
from opsctl.cause.history import Failure
from tests.opsctl.cause.histories import first, ids, ranked, rolled, task
from tests.opsctl.snapshots import START, snapshot


def test_a_throttled_call_stops_nothing_and_so_comes_last() -> None:
    call = FailedCall("ecs:DescribeTasks", "throttled", "ThrottlingException", "slow", 3, START)
    assert ids(rolled(task(code=1), failed_calls=(call,))) == ["container-exited", "throttled"]


def test_a_part_that_cannot_be_read_hinders_nothing() -> None:
    denied = FailedCall("cloudwatch:DescribeAlarms", "refused", "AccessDenied", "no", 1, START)
    causes = ranked(rolled(task(code=1), failed_calls=(denied,)))
    assert [cause.hinders for cause in causes] == [True, False]
    assert causes[1].id == "permission-missing"


def test_the_call_by_which_a_command_ended_is_its_cause_in_the_same_words() -> None:
    denied = FailedCall("cloudformation:CreateChangeSet", "refused", "AccessDenied", "no", 1, START)
    error = Failure("AwsError", "AWS refused CreateChangeSet: no", operation="CreateChangeSet",
                    code="AccessDenied")  # fmt: skip
    top = first(snapshot(failed_calls=(denied,)), failures=(error,))
    assert (top.id, top.hinders, top.sentence) == ("permission-missing", True, error.message)


def test_a_clock_that_is_wrong_says_by_how_much() -> None:
    text = (
        "Signature expired: 20261126T080000Z is now earlier than 20261126T085500Z "
        "(20261126T090000Z - 5 min.)"
    )
    call = FailedCall("sts:GetCallerIdentity", "refused", "SignatureDoesNotMatch", text, 1, START)
    top = first(snapshot(failed_calls=(call,)))
    assert top.id == "clock-wrong" and "60 minutes slow" in top.sentence


def test_a_failed_call_does_not_get_the_message_of_another_error() -> None:
    # `why` said "there are no AWS credentials", of an earlier command, while nothing answered.
    call = FailedCall("ecs:DescribeServices", "nobody", "", "Could not connect", 5, START)
    earlier = Failure("AwsError", "there are no AWS credentials", cause="credentials-refused")
    network = [
        one for one in ranked(snapshot(failed_calls=(call,)), failures=(earlier,))
        if one.id == "network"
    ]  # fmt: skip
    assert network and "credentials" not in network[0].sentence
    own = Failure("AwsError", "nothing answers at http://127.0.0.1:9", cause="network")
    top = first(snapshot(failed_calls=(call,)), failures=(own,))
    assert (top.id, top.sentence) == ("network", own.message)
