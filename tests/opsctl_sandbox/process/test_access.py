"""Nobody but its owner's programs may use a sandbox: no web page, no other user, no other key."""

import json
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from redis import Redis, ResponseError

from opsctl_sandbox.process.home import Home, Sandbox
from opsctl_sandbox.process.keys import basic
from opsctl_sandbox.wire.signature import Key
from tests.opsctl_sandbox.clients import Connect, client, post

STRANGER = Key("AKIASOMEBODYELSE0000", "theirs", "")
CODES = [
    ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ("ecs", "list_clusters", "UnrecognizedClientException"),
    ("logs", "describe_log_groups", "UnrecognizedClientException"),
    ("ec2", "describe_vpcs", "AuthFailure"),
    ("s3", "list_buckets", "InvalidAccessKeyId"),
    ("cloudwatch", "list_metrics", "InvalidClientTokenId"),
]
PATHS = ["/", "/v2/", "/_sandbox/faults", "/_ministack/health", "/bucket/key"]


def status(sandbox: Sandbox, path: str, headers: Mapping[str, str], method: str = "GET") -> int:
    request = urllib.request.Request(
        f"{sandbox.endpoint}{path}", headers=dict(headers), method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            assert "Access-Control-Allow-Origin" not in error.headers
            return error.code


def login(sandbox: Sandbox, path: str) -> dict[str, str]:
    """What its owner would send."""
    keys = sandbox.keys
    return {"Authorization": keys.registry if path.startswith("/v2/") else keys.pages}


@pytest.mark.parametrize(("service", "method", "code"), CODES)
def test_a_call_with_the_key_of_another_sandbox_is_refused_as_aws_does(
    sandbox: Sandbox, service: str, method: str, code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(sandbox, service, STRANGER), method)()
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(("service", "method", "_"), CODES)
def test_a_call_with_the_right_key_and_the_wrong_secret_is_refused(
    sandbox: Sandbox, service: str, method: str, _: str
) -> None:
    forged = Key(sandbox.keys.operator.id, "guessed", "")
    with pytest.raises(ClientError) as caught:
        getattr(client(sandbox, service, forged), method)()
    assert caught.value.response["Error"]["Code"] in {
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "AuthFailure",
    }


@pytest.mark.parametrize("path", PATHS)
def test_nothing_answers_without_a_key(sandbox: Sandbox, path: str) -> None:
    assert status(sandbox, path, {}) in (401, 403)
    assert status(sandbox, path, {"Authorization": basic("AWS", "guessed")}) in (401, 403)


@pytest.mark.parametrize("path", ["/v2/", "/_sandbox/faults"])
@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
    ],
)
def test_a_web_page_is_refused_even_with_a_key(
    sandbox: Sandbox, path: str, page: Mapping[str, str]
) -> None:
    assert status(sandbox, path, login(sandbox, path)) == 200
    assert status(sandbox, path, {**login(sandbox, path), **page}) == 403


def test_a_cors_preflight_is_refused(sandbox: Sandbox) -> None:
    asks = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert status(sandbox, "/", asks, method="OPTIONS") == 403


def test_every_answer_has_one_date(connect: Connect) -> None:
    answer = connect("s3").list_buckets()
    assert "," not in answer["ResponseMetadata"]["HTTPHeaders"]["date"].partition(",")[2]


def test_no_answer_lets_a_page_read_it(connect: Connect) -> None:
    connect("s3").create_bucket(Bucket="pages")
    answer = connect("s3").list_objects_v2(Bucket="pages")
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_a_registry_without_a_login_asks_for_one(sandbox: Sandbox) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{sandbox.endpoint}/v2/", timeout=5)
    with caught.value as answer:
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_the_keys_of_an_assumed_role_are_good_until_taken_away(
    sandbox: Sandbox, connect: Connect, unique: str
) -> None:
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = connect("iam").create_role(RoleName=unique, AssumeRolePolicyDocument=trust)["Role"]
    given = connect("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="people")["Credentials"]
    key = Key(given["AccessKeyId"], given["SecretAccessKey"], "", given["SessionToken"])

    assert client(sandbox, "sts", key).get_caller_identity()["Arn"].endswith(f"{unique}/people")
    with pytest.raises(ClientError, match="security token"):
        without_token = Key(key.id, key.secret, "")
        client(sandbox, "sts", without_token).get_caller_identity()


def test_a_user_may_do_what_its_policies_allow_and_nothing_else(
    sandbox: Sandbox, connect: Connect, unique: str
) -> None:
    iam = connect("iam")
    iam.create_user(UserName=unique)
    made = iam.create_access_key(UserName=unique)["AccessKey"]
    key = Key(made["AccessKeyId"], made["SecretAccessKey"], "")

    def put(*statements: dict[str, Any]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=unique, PolicyName="p", PolicyDocument=document)

    put({"Effect": "Allow", "Action": ["ecs:List*", "logs:*"], "Resource": "*"})
    client(sandbox, "ecs", key).list_clusters()
    client(sandbox, "sts", key).get_caller_identity()
    for service, operation, words in (
        ("ecs", "describe_clusters", "AccessDeniedException.*perform: ecs:DescribeClusters"),
        ("cloudformation", "list_stacks", "AccessDenied.*perform: cloudformation:ListStacks"),
        ("ec2", "describe_vpcs", "UnauthorizedOperation.*perform: ec2:DescribeVpcs"),
        ("cloudwatch", "list_metrics", "AccessDenied.*perform: cloudwatch:ListMetrics"),
    ):
        with pytest.raises(ClientError, match=words):
            getattr(client(sandbox, service, key), operation)()
    put(
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ecs:ListClusters", "Resource": "*"},
    )
    with pytest.raises(ClientError, match="explicit deny"):
        client(sandbox, "ecs", key).list_clusters()


def test_a_policy_holds_for_its_resources_and_under_its_conditions(
    sandbox: Sandbox, connect: Connect, unique: str
) -> None:
    iam, place = connect("iam"), "us-east-1:123456789012"
    iam.create_user(UserName=unique)
    made = iam.create_access_key(UserName=unique)["AccessKey"]
    key = Key(made["AccessKeyId"], made["SecretAccessKey"], "")
    mine = {
        "ecs:DescribeServices": f"arn:aws:ecs:{place}:service/{unique}/*",
        "cloudformation:DescribeStacks": f"arn:aws:cloudformation:{place}:stack/{unique}-*/*",
        "ssm:GetParameters": f"arn:aws:ssm:{place}:parameter/{unique}/*",
        "s3:CreateBucket": f"arn:aws:s3:::{unique}",
    }
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": action, "Resource": arn} for action, arn in mine.items()
    ]
    cluster = {"ArnEquals": {"ecs:cluster": f"arn:aws:ecs:{place}:cluster/{unique}"}}
    tasks = {"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*", "Condition": cluster}
    document = json.dumps({"Version": "2012-10-17", "Statement": [*statements, tasks]})
    iam.put_user_policy(UserName=unique, PolicyName="p", PolicyDocument=document)
    connect("ecs").create_cluster(clusterName=unique)

    ecs, ssm, s3 = (client(sandbox, name, key) for name in ("ecs", "ssm", "s3"))
    ecs.describe_services(cluster=unique, services=["one"])
    ecs.list_tasks(cluster=unique)
    ssm.get_parameters(Names=[f"/{unique}/one"])
    s3.create_bucket(Bucket=unique)
    cloudformation = client(sandbox, "cloudformation", key)
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=f"{unique}-db")
    for call in (
        lambda: ecs.describe_services(cluster="other", services=["one"]),
        lambda: ecs.list_tasks(cluster="other"),
        lambda: ssm.get_parameters(Names=[f"/{unique}/one", "/other"]),
        lambda: s3.create_bucket(Bucket="other"),
        lambda: cloudformation.describe_stacks(StackName="other"),
        cloudformation.describe_stacks,
    ):
        with pytest.raises(ClientError, match="is not authorized to perform|AccessDenied"):
            call()


@pytest.fixture
def faults(sandbox: Sandbox) -> Iterator[Any]:
    yield lambda *rules: post(sandbox, "faults", rules)
    post(sandbox, "faults", [])


def test_a_clock_that_is_wrong_is_told_in_the_words_of_aws(faults: Any, connect: Connect) -> None:
    faults({"kind": "clock", "seconds": 420, "operation": "cloudformation:*"})
    with pytest.raises(ClientError, match="Signature expired: .* is now earlier than"):
        connect("cloudformation").list_stacks()
    connect("ecs").list_clusters()


def test_only_the_owner_reads_what_a_sandbox_writes(home: Home, sandbox: Sandbox) -> None:
    def others_may(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode) & 0o077

    assert others_may(home.path) == 0
    for name in ("state.json", "server.log", "lock"):
        assert others_may(home.path / name) == 0, name


def test_the_secret_is_in_no_list_of_processes(sandbox: Sandbox) -> None:
    command = Path(f"/proc/{sandbox.pid}/cmdline").read_bytes()
    assert sandbox.secret.encode() not in command
    assert sandbox.keys.operator.secret.encode() not in command


def test_the_cache_takes_no_command_that_elasticache_does_not(sandbox: Sandbox) -> None:
    if not sandbox.redis:
        pytest.skip("no redis-server on this machine")
    redis = Redis(port=sandbox.cache_port)
    assert redis.ping()
    with pytest.raises(ResponseError, match="unknown command"):
        redis.config_set("dir", "/tmp")
    redis.close()


def test_a_silent_connection_does_no_harm(sandbox: Sandbox, connect: Connect) -> None:
    with socket.create_connection(("127.0.0.1", sandbox.port)):
        connect("ecs").list_clusters()


def test_the_body_of_a_stranger_is_not_read(sandbox: Sandbox) -> None:
    head = (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{sandbox.port}\r\nContent-Length: 9000000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 403 ")
