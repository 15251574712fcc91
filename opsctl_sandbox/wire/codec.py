"""AWS protocols: identify the call in a request, read its parameters, write answers and errors."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4
from xml.sax.saxutils import escape

import orjson
from botocore import parsers, serialize
from botocore.model import OperationModel

from opsctl_sandbox.wire import models, query
from opsctl_sandbox.wire.calls import Refused, Structure
from opsctl_sandbox.wire.http import Answer, Request

CBOR = "smithy-rpc-v2-cbor"
_XML = ("ec2", "query", "rest-xml")
_ERROR = re.compile(rb"<Code>(\w[\w.]*)</Code>\s*<Message>(.*)</Message>", re.DOTALL)
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_CBOR_PATH = re.compile(r"^/service/[^/]+/operation/(\w+)$")


@dataclass(frozen=True)
class Named:
    """What a request calls, without its parameters; a REST call's operation is its method."""

    service: str
    operation: str
    protocol: str
    region: str
    access_key: str


def name(request: Request) -> Named | None:
    """Identify the call; None for other requests (a registry's blob, a control page)."""
    access_key, region, service = "", "", ""
    if credential := _CREDENTIAL.search(request.headers.get("authorization", "")):
        access_key, region, service = credential.groups()
    if target := request.headers.get("x-amz-target"):
        prefix, _, operation = target.rpartition(".")
        service = service or models.signing_name(prefix) or ""
        return Named(service, operation, "json", region, access_key) if service else None
    if path := _CBOR_PATH.match(request.path):
        return Named(service or "monitoring", path.group(1), CBOR, region, access_key)
    if not service:
        return None
    operation = query.form(request).get("Action", "") if request.path == "/" else request.method
    model = models.service(service)
    protocol = str(model.metadata.get("protocol")) if model else "json"
    if operation and protocol == CBOR:
        protocol = "query"
    return Named(service, operation, protocol, region, access_key)


def dialect(named: Named) -> str:
    """Return the protocol of the service's error codes; former query services keep query's."""
    model = models.service(named.service)
    old = model is not None and "awsQueryCompatible" in model.metadata
    return "query" if old else named.protocol


def parameters(named: Named, model: OperationModel, request: Request) -> dict[str, Any]:
    """Read what the call names. Raises `Refused` for what cannot be read."""
    try:
        return _parameters(named, model, request)
    except (ValueError, TypeError, AttributeError, parsers.ResponseParserError) as error:
        raise unreadable(named, str(error)) from error


def unreadable(named: Named, sentence: str) -> Refused:
    """Return the refusal of a request that has not even the types of the model."""
    if named.protocol == "ec2":
        return Refused("InvalidParameterValue", sentence)
    code = "MalformedInput" if dialect(named) == "query" else "SerializationException"
    return Refused(code, sentence)


def _parameters(named: Named, model: OperationModel, request: Request) -> dict[str, Any]:
    if named.protocol in ("query", "ec2"):
        return query.parameters(request, model, ec2=named.protocol == "ec2")
    parser = _parser(named.protocol)
    if model.input_shape is None or not request.body:
        return {}
    if named.protocol == CBOR:
        content = parser.parse_data_item(parser.get_peekable_stream_from_bytes(request.body))
    else:
        content = json.loads(request.body)
    # botocore's parser is meant for answers, but works for any shape.
    parsed: dict[str, Any] = parser._parse_shape(model.input_shape, content)
    return parsed


def forward(named: Named, model: OperationModel, request: Request, values: Structure) -> Request:
    """Return the same request with other parameters."""
    serialized = _serializer(named.protocol).serialize_to_request(dict(values), model)
    body = serialized["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode()
    kept = {k: v for k, v in request.headers.items() if k != "smithy-protocol"}
    headers = {**kept, **{k.lower(): v for k, v in serialized["headers"].items()}}
    return Request("POST", "/", "", headers, body)


def for_ministack(named: Named) -> Named:
    """Use JSON instead of CBOR, for which ministack needs a library that it does not install."""
    return replace(named, protocol="json") if named.protocol == CBOR else named


def result(named: Named, model: OperationModel, answer: Answer) -> dict[str, Any]:
    """Parse an answer of ministack. Raises `Refused` for its errors."""
    body = answer.body.translate(query.READABLE) if named.protocol in _XML else answer.body
    content = {"status_code": answer.status, "headers": answer.headers, "body": body}
    try:
        parsed: dict[str, Any] = _parser(named.protocol).parse(content, model.output_shape)
    except parsers.ResponseParserError as error:
        # ministack puts names into its errors as they are, also `<` and `&`.
        if answer.status >= 300 and (parts := _ERROR.search(body)):
            code, message = (part.decode("utf-8", "replace") for part in parts.groups())
            raise Refused(code, message, status=answer.status) from error
        raise Refused("InternalFailure", f"unreadable answer: {error}", status=500) from error
    if answer.status >= 300:
        error_ = parsed.get("Error", {})
        code = error_.get("Code") or "InternalFailure"
        raise Refused(code, error_.get("Message", ""), status=answer.status)
    parsed.pop("ResponseMetadata", None)
    return parsed


def readable(named: Named, answer: Answer) -> bool:
    """Return whether clients find an error code in this answer; True for REST services."""
    if named.protocol.startswith("rest"):
        return True
    content = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    try:
        code = str(_parser(named.protocol).parse(content, None)["Error"]["Code"])
    except Exception:  # botocore's parsers fail in many ways on foreign content
        return False
    return not code.isdigit()


def success(named: Named, model: OperationModel, value: Structure) -> Answer:
    request_id = str(uuid4())
    headers = {"x-amzn-requestid": request_id}
    if named.protocol in ("query", "ec2"):
        body = query.success(value, model, request_id, ec2=named.protocol == "ec2")
        readable = body.translate(query.READABLE)
        return Answer(200, {**headers, "content-type": "text/xml"}, readable)
    if named.protocol == CBOR:
        headers |= {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        if model.output_shape is None:
            return Answer(200, headers, b"")
        body = _serializer(CBOR)._serialize_body_params(dict(value), model.output_shape)
        return Answer(200, headers, body)
    headers["content-type"] = "application/x-amz-json-1.1"
    body = orjson.dumps(value, default=_json, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Answer(200, headers, body)


def _json(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return dict(value) if isinstance(value, Mapping) else str(value)


def refusal(protocol: str, error: Refused) -> Answer:
    request_id = str(uuid4())
    headers = {"x-amzn-requestid": request_id}
    code, message = escape(error.code), escape(error.message)
    kind = "Sender" if error.status < 500 else "Receiver"
    if protocol == CBOR:
        headers |= {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        headers["x-amzn-query-error"] = f"{error.code};{kind}"
        return Answer(error.status, headers, _cbor_error(error))
    if protocol == "ec2":
        inner = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        body = f"<Response>{inner}<RequestID>{request_id}</RequestID></Response>"
    elif protocol == "query":
        inner = f"<Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message>"
        tail = f"<RequestId>{request_id}</RequestId>"
        body = f"<ErrorResponse><Error>{inner}</Error>{tail}</ErrorResponse>"
    elif protocol == "rest-xml":
        tail = f"<RequestId>{request_id}</RequestId>"
        body = f"<Error><Code>{code}</Code><Message>{message}</Message>{tail}</Error>"
    elif protocol == "registry":
        content = {"errors": [{"code": error.code, "message": error.message}]}
        headers["content-type"] = "application/json"
        return Answer(error.status, headers, json.dumps(content).encode())
    else:
        headers |= {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": error.code}
        fields = {"__type": error.code, "message": error.message}
        return Answer(error.status, headers, json.dumps(fields).encode())
    readable = body.encode().translate(query.READABLE)
    return Answer(error.status, {**headers, "content-type": "text/xml"}, readable)


def _cbor_error(error: Refused) -> bytes:
    serializer = _serializer(CBOR)
    body = bytearray(b"\xa2")  # a map of two pairs
    for text in ("__type", f"com.amazonaws#{error.code}", "message", error.message):
        serializer._serialize_type_string(body, text, None, None)
    return bytes(body)


@cache
def _parser(protocol: str) -> Any:
    return parsers.create_parser(protocol)


@cache
def _serializer(protocol: str) -> Any:
    return serialize.create_serializer(protocol, include_validation=False)
