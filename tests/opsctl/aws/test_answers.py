"""Half an answer is no answer, whatever its status."""

from types import SimpleNamespace
from typing import Any

import boto3.session
import pytest
from botocore.parsers import ResponseParserError

from opsctl.aws import answers


def read(body: bytes, *, status: int = 200, protocol: str = "json", kind: str = "json") -> None:
    response = SimpleNamespace(status_code=status, content=body, headers={"content-type": kind})
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


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (b'{"taskArns": []}\n', {}),
        (b"", {}),
        (b'{"__type": "ClusterNotFoundException"}', {"status": 400}),
        (b"Bad Request", {"status": 400}),
        (b"<a>", {"protocol": "query"}),
        (b"<html>", {"kind": "text/html"}),
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
