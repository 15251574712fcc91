"""Every call of opsctl, with each of its parameters wrong in turn, as botocore knows them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from opsctl_sandbox.wire import codec, models, validation
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.http import Request
from tests.opsctl_sandbox.clients import Connect

CALLS = json.loads((Path(__file__).parents[2] / "opsctl/permissions/actions.json").read_text())
PAIRS = [tuple(call.split()) for call in CALLS["calls"]]
# Their parameters are not validated by the models: rest protocols, and models without limits.
UNJUDGED = ("ec2", "elasticache", "s3")
SIGNED = {"cloudwatch": "monitoring", "elbv2": "elasticloadbalancing"}
TYPES: dict[str, Any] = {"integer": 1, "long": 1, "double": 1.0, "float": 1.0, "boolean": True}
DEEPEST = 3


def least(shape: Shape) -> Any:
    """The least that the model takes."""
    if isinstance(shape, StructureShape):
        return {name: least(shape.members[name]) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return [least(shape.member)]
    if isinstance(shape, MapShape):
        return {least(shape.key): least(shape.value)}
    if shape.type_name in TYPES:
        return max(TYPES[shape.type_name], shape.metadata.get("min", 0))
    if shape.type_name == "timestamp":
        return 1_700_000_000
    if shape.type_name == "blob":
        return b"x"
    values = getattr(shape, "enum", ())
    return values[0] if values else "nope".ljust(shape.metadata.get("min") or 0, "e")


def wrong(shape: Shape) -> Iterator[Any]:
    """What the model forbids in this place."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name in ("integer", "long"):
        yield from [low - 1 for _ in range(1) if low is not None]
        yield from [high + 1 for _ in range(1) if high is not None]
    if shape.type_name == "string":
        if getattr(shape, "enum", ()):
            yield "NOPE"
        yield from ["" for _ in range(1) if low]
        yield from ["x" * (high + 1) for _ in range(1) if high and high < 5000]
    if isinstance(shape, ListShape) and high and high < 200 and least(shape.member) != {}:
        yield [least(shape.member)] * (high + 1)


def broken(shape: StructureShape, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The least that the model takes, with one thing wrong; a form holds no empty structure."""
    whole = least(shape)
    for name in shape.required_members:
        yield {key: value for key, value in whole.items() if key != name}
    for name, member in shape.members.items():
        for value in wrong(member):
            yield {**whole, name: value}
        inner = member.member if isinstance(member, ListShape) else member
        if isinstance(inner, StructureShape) and depth < DEEPEST:
            for value in filter(None, broken(inner, depth + 1)):
                yield {**whole, name: [value] if isinstance(member, ListShape) else value}


def sent(named: codec.Named, model: OperationModel, values: dict[str, Any]) -> Request:
    return codec.forward(named, model, Request("POST", "/", "", {}, b""), values)


@pytest.mark.parametrize(("service", "name"), [one for one in PAIRS if one[0] not in UNJUDGED])
def test_what_its_model_forbids_is_refused(service: str, name: str) -> None:
    signed = SIGNED.get(service, service).replace("service-quotas", "servicequotas")
    model = models.operation(signed, name)
    assert model is not None
    protocol = str(model.service_model.metadata["protocol"])
    named = codec.Named(signed, name, "json" if signed == "monitoring" else protocol, "", "key")
    for values in broken(model.input_shape) if model.input_shape else ():
        request = sent(named, model, values)
        with pytest.raises(Refused):
            validation.check(named, model, request)
            pytest.fail(f"{values} was taken")


def test_the_sandbox_breaks_at_none(connect: Connect) -> None:
    for service, name in PAIRS:
        if name == "StartLiveTail":
            continue
        client = connect(service)
        shape = client.meta.service_model.operation_model(name).input_shape
        try:
            client._make_api_call(name, least(shape) if shape else {})
        except ClientError as error:
            answer = error.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] < 500, (service, name, answer)
