"""Half an answer is no answer, whatever its status."""

from types import SimpleNamespace
from typing import Any

import boto3.session
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from opsctl.aws import answers
from opsctl.aws.faults import NotAws


def read(body: bytes, *, status: int = 200, protocol: str = "json", kind: str = "json") -> None:
    response = SimpleNamespace(
        status_code=status, content=body, headers={"content-type": kind}, url="http://x"
    )
    service = SimpleNamespace(resolved_protocol=protocol)
    model: Any = SimpleNamespace(name="It", service_model=service)
    answers.refuse_half(response, model)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"taskArns": [', 200), (b'{"__type": "ClusterNotFoundException", "mess', 400), (b"x", 200)],
)
def test_what_was_cut_off_is_asked_for_again(body: bytes, status: int) -> None:
    with pytest.raises(ResponseParserError, match="the answer to It was cut off"):
        read(body, status=status)


@pytest.mark.parametrize("body", [b"<html>", b"  <!DOCTYPE html><html>"])
def test_a_web_page_without_its_kind_is_no_answer_of_ec2(body: bytes) -> None:
    with pytest.raises(NotAws):
        read(body, protocol="ec2", kind="")


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (b'{"taskArns": []}\n', {}),
        (b"", {}),
        (b'{"__type": "ClusterNotFoundException"}', {"status": 400}),
        (b"Bad Request", {"status": 400}),
        (b"<a>", {"protocol": "query"}),
        (b"<html>", {"kind": "text/html", "status": 403}),
    ],
)
def test_what_is_whole_or_another_language_is_left_to_botocore(
    body: bytes, more: dict[str, Any]
) -> None:
    read(body, **more)


def test_every_service_that_answers_in_json_is_known_for_it() -> None:
    # CloudWatch names another protocol first, and is spoken to in JSON all the same.
    session: Any = boto3.session.Session(region_name="us-east-1")
    for service in ("cloudwatch", "ecs", "ssm", "logs", "secretsmanager", "ecr"):
        model = session.client(service).meta.service_model.operation_model
        made = next(iter(session.client(service).meta.service_model.operation_names))
        response = SimpleNamespace(status_code=200, content=b'{"a": [', headers={})
        with pytest.raises(ResponseParserError):
            answers.refuse_half(response, model(made))


@pytest.mark.parametrize(("status", "kind", "is_aws"), [
    (301, "", False), (307, "application/x-amz-json-1.1", False),
    (403, "text/html; charset=utf-8", False), (407, "text/html", False), (502, "text/html", True),
    (403, "application/x-amz-json-1.1", True),
])  # fmt: skip
def test_a_page_that_refuses_is_a_proxys(status: int, kind: str, is_aws: bool) -> None:
    headers = {"content-type": kind}
    response: Any = {
        "Error": {"Code": str(status) if status < 400 else "", "Message": "<html>"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }

    def make(*_: Any) -> Any:
        raise ClientError(response, "DescribeStacks")

    exceptions = SimpleNamespace(ClientError=ClientError)
    client = SimpleNamespace(meta=SimpleNamespace(endpoint_url="http://x"), exceptions=exceptions)
    with pytest.raises(ClientError if is_aws else NotAws):
        answers.checked(make, client, "DescribeStacks", {})
