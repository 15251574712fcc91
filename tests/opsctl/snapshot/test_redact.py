"""Secrets that a container printed, in every notation, and lines that hold none."""

import json
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.snapshot.redact import MASK, redact, redact_lines

# The hole is where the secret is. Those of `PLAIN` end a value at a space.
PLAIN = (
    "redis password={} refused",
    "DB_PASS={}",
    "export DB_PASS={}",
    "run with DB_PASSPHRASE={} now",
    "passphrase: {}",
    "API_KEY: {}",
    "level=info db.password={} user=x",
    "GET /login?user=x&token={} 200",
    "https://host.example/?access_key={}",
    "rediss://app:{}@cache.example:6379",
    "connect redis://:{}@cache.example:6379/0 failed",
    "postgres://app:{}@db.example/app",
    "Authorization: Bearer {}",
    "authorization: Basic {}",
    "Proxy-Authorization: Digest {}",
    "X-Api-Key: {}",
    "X-Auth: {}",
    "Cookie: session={}; theme=dark",
    "curl -H 'Authorization: token {}' https://api.example",
    "docker run -e PRIVATE_KEY={} app",
    "mysql --password {} --user x",
    "mysql --password={}",
    "redis-server --db-pass {}",
    "ParameterKey=DbPassword,ParameterValue={}",
    "Config(dbPass={}, user=x)",
    "<Password>{}</Password>",
    "<ParameterKey>DbPassword</ParameterKey><ParameterValue>{}</ParameterValue>",
    "signing_key := {}",
    "secret => {}",
    "clientSecret={}",
)
# In these, any text may be a value.
WRITTEN = {
    "JSON": lambda secret: json.dumps({"password": secret, "user": "x"}),
    "compact JSON": lambda secret: json.dumps({"password": secret, "n": 1}, separators=(",", ":")),
    "indented JSON": lambda secret: json.dumps({"password": secret, "n": 1}, indent=4),
    "JSON in JSON": lambda secret: json.dumps({"m": json.dumps({"password": secret, "n": 1})}),
    "JSON in JSON in JSON": lambda secret: json.dumps(
        json.dumps(json.dumps({"password": secret, "n": 1}))
    ),
    "a list": lambda secret: json.dumps({"passwords": ["first", secret]}),
    "a variable of ECS": lambda secret: json.dumps({"name": "DB_PASSWORD", "value": secret}),
    "the same, sorted otherwise": lambda secret: json.dumps(
        {"value": secret, "name": "DB_PASSWORD"}
    ),
    "a parameter": lambda secret: json.dumps(
        {"ParameterKey": "DbPassword", "ParameterValue": secret}
    ),
    "a command": lambda secret: json.dumps(["psql", "--password", secret]),
    "a repr": lambda secret: repr({"password": secret, "user": "x"}),
    "an object": lambda secret: f"Config(password={secret!r}, user='x')",
    "a wrapped object": lambda secret: f"Config(password=SecretStr({secret!r}), user='x')",
    "bytes": lambda secret: repr({"password": secret.encode()}),
    "headers": lambda secret: repr([(b"authorization", secret.encode()), (b"a", b"b")]),
    "YAML": lambda secret: yaml.safe_dump({"password": secret, "user": "x"}),
    "logfmt": lambda secret: f"level=info password={json.dumps(secret)} user=x",
    "a header": lambda secret: f"Cookie: {secret}",
    "SQL": lambda secret: "CREATE USER x password = '{}'".format(secret.replace("'", "''")),
}
CANARY = "hunter22"
AROUND = st.text(st.sampled_from("aZ0,;:}{[]()<>&=#@/\\\"'|!$%*+-_.~^`"), max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLAIN), AROUND, AROUND)
def test_no_secret_without_spaces_survives(form: str, before: str, after: str) -> None:
    if any(one in form for one in ("<", "?", "Cookie", "'Auth")):
        before, after = "", ""  # these encode what would end their value
    opened = before.lstrip("\"'-[{|>`(<").replace('"', "").replace("'", "")
    masked = redact(form.format(f"{opened}{CANARY}{after}"))
    assert CANARY not in masked and MASK in masked
    assert redact(masked) == masked


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(WRITTEN)),
    st.text(st.sampled_from("ab Z0,;:}]){&@/\\\"'|é")),
    st.text(st.sampled_from("ab Z0,;:}]){&@/\\\"'|é")),
)
def test_no_quoted_secret_survives(form: str, before: str, after: str) -> None:
    if form == "a list":
        before = before.replace("{", "")
    masked = redact(WRITTEN[form](f"x{before} {CANARY} {after}x"))
    assert CANARY not in masked and MASK in masked
    assert redact(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "correct horse hunter22"}',
        "password: correct horse hunter22",
        "password=Ab1,hunter22}z",
        "redis://:p@hunter22@host",
        "redis://:p/hunter22@host",
        "https://user:1a/hunter22@host/path",
        '{"refresh_token": "hunter22", "user": "x"}',
        "eyJhunter22.eyJhunter22.hunter22",
        "key AKIAHUNTER22ABCDEFGH",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter22\nhunter22==\n-----END RSA PRIVATE KEY-----",
        "key: -----BEGIN PRIVATE KEY-----\\nhunter22",
        "hunter22AAAA" * 5 + "abcd",
        "password: |\n  hunter22\n  hunter22\nuser: x",
        "- name: DB_PASSWORD\n  value: hunter22",
        "echo DB_PASS='a'\"b\"hunter22",
    ],
)
def test_a_secret_that_somebody_printed_is_masked(text: str) -> None:
    masked = redact(text)
    assert "hunter22" not in masked.lower() and MASK in masked
    assert redact(masked) == masked
    assert masked.count("\n") == text.count("\n")


def test_what_is_beside_a_secret_stays() -> None:
    assert redact('{"password": "a \\" b", "user": "x"}') == (
        f'{{"password": "{MASK}", "user": "x"}}'
    )
    assert redact("redis://app:p@ss@host:6379 is full") == f"redis://app:{MASK}@host:6379 is full"
    assert redact("password: |\n  a\n  b\nuser: x") == f"password: |\n{MASK}\n{MASK}\nuser: x"
    message = 'message: "no" (RequestToken: {}, HandlerErrorCode: X)'
    assert redact(message.format("a,b")) == message.format(MASK)
    assert redact("level=info token=a user=x") == f"level=info token={MASK} user=x"


def test_a_key_is_masked_over_its_lines() -> None:
    lines = ("begins", "-----BEGIN PRIVATE KEY-----", "hunter22", "-----END PRIVATE KEY-----", "ok")
    assert redact_lines(lines) == (*lines[:2], MASK, *lines[3:])
    assert redact_lines(()) == () and redact_lines(lines[2:3]) == ("hunter22",)


@pytest.mark.parametrize(
    "text",
    [
        "`web` exited 1",
        "invalid parameters: /web/api-key",
        "http://127.0.0.1:80/v1/cids answered 404",
        "http://127.0.0.1:8080/users/a@b.example answered 404",
        "token expired",
        "ERR AUTH <password> called without any password configured for the default user.",
        "POST https://auth.example.com/token: dial tcp: i/o timeout",
        'Post "https://auth.example.com/v1/token": dial tcp: lookup auth.example.com',
        "NoCredentialsError: Unable to locate credentials",
        "API_KEY: is empty",
        "DB_PASSWORD: required",
        "token: null",
        '{"token":null,"user":"x"}',
        "could not refresh the token: connection refused",
        "cannot read the secret: access denied",
        "not authorized to perform: secretsmanager:GetSecretValue on resource: "
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:web/api-AbCdEf",
        "prompt_tokens=512 max_tokens: 4096",
        "author: x, bypass=1, compass: north, tokenizer=bert, secretary: y",
        "basic authentication failed, as it needs basic credentials",
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
        "retrieval failed",
        "ERR AUTH <password> called without any password configured for the default user.",
        ("secret-missing", "the secret is gone").__repr__(),
        "secrets: variable API_KEY of the environment is not set",
        "the refresh needs a refresh token: site has no `secrets`",
        "missing names: 'password', 'token', 'user'",
        '["token", "user"]',
        '{"secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm"}]}',
        "TOKEN_FILE=/run/secrets/token token_type=bearer",
        "mysql --password-stdin --user x",
        "pulled web@sha256:" + "0a1b" * 16,
        "0a1b" * 16,
        "git clone git@github.com:a/b.git",
        "docker://web:v1@sha256:1",
        "2026-11-26T12:00:00Z INFO [main] GET /v1/cids?id=5 200 12ms",
        "PASS tests/test_a.py",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_masking_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            " ",
            "token",
            "token ",
            "token: ",
            "token='",
            "a://b:",
            "a://b:c@d",
            "eyJ-",
            "eyJaaaaa.",
        ),
        *('"name": "token', '"value": "', "name=token,", "-", "'\"", "\\", "tokens=[", "bearer "),
        *("-----BEGIN PRIVATE KEY-----", 'password=\\"', "http://a:80/", "<token>", "x|\n "),
    ],
)
def test_long_lines_take_a_moment_only(piece: str) -> None:
    def seconds(length: int) -> float:
        began = time.process_time()
        redact(piece * (length // len(piece)))
        return time.process_time() - began

    assert seconds(100_000) < 1
