"""Log groups and streams by their names, whatever CloudWatch says of them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from opsctl.aws import Unreadable
from opsctl.logs import sources
from opsctl.logs.events import LogGroup, Notice, Selection

GROUP = LogGroup("app", "/web/app")
MISSING = Notice("missing", "app", "there is no log group /web/app")


def answering(**answers: Any) -> Any:
    """A client that gives these answers, or raises them."""

    def answer(name: str) -> Any:
        if isinstance(answers[name], Exception):
            raise answers[name]
        return answers[name]

    calls = {name: lambda name=name, **_: answer(name) for name in answers}
    return cast(Any, SimpleNamespace(**calls))


def test_a_missing_group_has_near_ones() -> None:
    logs = answering(describe_log_groups={"logGroups": [{"logGroupName": "/web/apps"}]})
    [line] = sources.explain(logs, MISSING, [GROUP], Selection())
    assert line.strip() == "log groups that exist: /web/apps"


@pytest.mark.parametrize(
    "answer",
    [
        ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeLogGroups"),
        EndpointConnectionError(endpoint_url="http://x"),
        {"logGroups": [{}]},
    ],
)
def test_an_explanation_that_aws_does_not_give_ends_no_reading(answer: Any) -> None:
    logs = answering(describe_log_groups=answer)
    assert sources.explain(logs, MISSING, [GROUP], Selection()) == []


@pytest.mark.parametrize("streams", [[{}], [{"logStreamName": "s", "lastEventTimestamp": 1 << 62}]])
def test_what_makes_no_sense_is_said_to_be_unreadable(streams: Any) -> None:
    logs = answering(
        describe_log_groups={"logGroups": [{"logGroupName": GROUP.name}]},
        describe_log_streams={"logStreams": streams},
    )
    with pytest.raises(Unreadable, match="what AWS says of the log streams cannot be read"):
        sources.status(logs, GROUP)
