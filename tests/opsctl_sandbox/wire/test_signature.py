"""Signatures are checked as AWS checks them; botocore's own signer makes them here."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from opsctl_sandbox.wire import signature
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.http import Request
from opsctl_sandbox.wire.signature import Key

KEY = Key("SANDBOX1", "secret", "arn:aws:iam::1:user/operator")
BODY = b"Action=DescribeStacks&Version=2010-05-15"


def signed(
    service: str = "cloudformation",
    *,
    path: str = "/",
    query: str = "",
    body: bytes = BODY,
    key: Key = KEY,
) -> Request:
    url = f"http://127.0.0.1:1{path}{'?' + query if query else ''}"
    request = AWSRequest(method="POST", url=url, data=body, headers={"Host": "127.0.0.1:1"})
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(key.id, key.secret, key.token or None), service, "us-east-1").add_auth(
        request
    )
    headers = {name.lower(): value for name, value in request.headers.items()}
    # The server gives the path decoded.
    return Request("POST", path.replace("%20", " "), query, headers, body)


def check(
    request: Request, *, key: Key = KEY, at: timedelta = timedelta(), by: str = "query"
) -> None:
    """`at` is how long after it was signed the request comes."""
    parts = signature.read(request)
    assert parts is not None
    signed_at = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    signature.check(request, parts, key, signed_at.replace(tzinfo=UTC) + at, by)


@pytest.mark.parametrize(
    "request_",
    [
        signed(),
        signed("s3", path="/bucket/a%20b", query="list-type=2&prefix=a%2Fb", body=b""),
        signed("logs", query="b=2&a=&a=1"),
        signed(body=b""),
    ],
)
def test_what_botocore_signs_holds(request_: Request) -> None:
    check(request_)


@pytest.mark.parametrize(
    "changed",
    [
        replace(signed(), body=b"Action=DeleteStack"),
        replace(signed("s3", path="/bucket/key"), body=b"other"),
        replace(signed(), path="/other"),
        replace(signed(), query="a=1"),
        replace(signed(), method="GET"),
        signed(key=replace(KEY, secret="another")),
    ],
)
def test_another_content_or_key_is_refused(changed: Request) -> None:
    with pytest.raises(Refused, match="does not match the signature you provided") as caught:
        check(changed)
    assert (caught.value.code, caught.value.status) == ("SignatureDoesNotMatch", 403)


def test_a_clock_six_minutes_slow_is_told_as_aws_tells_it() -> None:
    with pytest.raises(Refused, match=r"^Signature expired: \w+ is now earlier than \w+ \(\w+ -"):
        check(signed(), at=timedelta(minutes=6))
    with pytest.raises(Refused, match=r"^Signature not yet current: \w+ is still later than"):
        check(signed(), at=timedelta(minutes=-6))
    with pytest.raises(Refused) as caught:
        check(signed("ecs"), at=timedelta(minutes=6), by="json")
    assert caught.value.code == "InvalidSignatureException"


def test_a_temporary_key_needs_its_token() -> None:
    key = replace(KEY, token="session")
    check(signed(key=key), key=key)
    with pytest.raises(Refused, match="security token included in the request is invalid"):
        check(signed(), key=key)


def test_a_request_that_names_no_key_is_not_signed() -> None:
    assert signature.read(Request("POST", "/", headers={"authorization": "Bearer x"})) is None
    assert signature.read(Request("POST", "/")) is None
