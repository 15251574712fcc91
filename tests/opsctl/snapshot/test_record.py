import json
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.snapshot.record import from_json, to_json
from opsctl.snapshot.redact import MASK, redact
from opsctl.snapshot.snapshot import Snapshot
from opsctl.snapshot.stacks import StackState
from tests.opsctl.snapshots import NAMES, NEW, deployment, snapshot

# The values are typed, so hypothesis can make any snapshot there is; a Mapping is a dict.
TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=2)
STATES = st.builds(StackState, outputs=TEXTS, parameters=TEXTS, tags=TEXTS)
SNAPSHOTS = st.builds(
    Snapshot,
    names=st.just(NAMES),
    stacks=st.dictionaries(st.sampled_from(["db", "ecs"]), STATES, max_size=2),
    lines=st.dictionaries(st.text(max_size=5), st.tuples(st.text()), max_size=2),
)


@settings(max_examples=30, deadline=None)
@given(SNAPSHOTS)
def test_a_snapshot_goes_to_json_and_comes_back(made: Snapshot) -> None:
    written = to_json(made)
    assert to_json(from_json(json.loads(json.dumps(written)))) == written


def test_without_secrets_it_comes_back_as_it_was() -> None:
    made = snapshot(deployment("d1", NEW))
    assert from_json(json.loads(json.dumps(to_json(made)))) == made


def test_an_unknown_field_of_a_newer_opsctl_is_left_out() -> None:
    value: dict[str, Any] = {**to_json(snapshot()), "weather": "fine"}
    assert from_json(value) == snapshot()


@pytest.mark.parametrize(
    "text",
    [
        "redis password=hunter22 refused",
        '{"refresh_token": "hunter22", "user": "x"}',
        "Authorization: Bearer hunter22.hunter22",
        "rediss://app:hunter22@cache.example:6379",
        "API_KEY: hunter22",
        "GET /login/password=hunter22",
        "eyJhunter22.eyJhunter22.hunter22",
        "key AKIAHUNTER22ABCDEFGH",
    ],
)
def test_a_secret_that_somebody_printed_is_masked(text: str) -> None:
    masked = redact(text)
    assert (
        "hunter22" not in masked.lower().replace("hunter2222222222", "hunter22") and MASK in masked
    )
    assert redact(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "`web` exited 1",
        "invalid parameters: /web/api-key",
        "http://127.0.0.1:80/v1/cids answered 404",
        "token expired",
        "API_KEY: is empty",
        "DB_PASSWORD: required",
        "token: null",
        "NoCredentialsError: Unable to locate credentials",
        "POST https://auth.example.com/token: dial tcp: i/o timeout",
        "not authorized to perform: secretsmanager:GetSecretValue on resource: "
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:web/api-AbCdEf",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert redact(text) == text


def test_a_line_that_is_one_long_word_is_masked_at_once() -> None:
    began = process_time()
    for word in ("x", "a-", "://", "secret", "-eyJ"):
        assert redact(word * 10_000)
    assert process_time() - began < 5  # it took minutes


@given(st.text())
def test_masking_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)
