"""Of a property's whole JSON, before and after, only what differs is shown, and no secret."""

import json
from typing import Any

import pytest

from opsctl.stacks.differences import between

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"


def container(**more: Any) -> str:
    environment = [{"Name": name, "Value": value} for name, value in more.pop("env", {}).items()]
    return json.dumps([{"Name": "web", "Cpu": 512, "Environment": environment, **more}])


def lines(before: str | None, after: str | None, name: str = "P") -> list[str]:
    return [f"{one.name}: {one.before} -> {one.after}" for one in between(name, before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a", "b", ["P: a -> b"]),
        ("a", LATER, ["P: a -> known afterwards"]),
        (None, "b", ["P: nothing -> b"]),
        (container(StopTimeout=30), container(StopTimeout=31), ["P.web.StopTimeout: 30 -> 31"]),
        (container(env={"A": "1"}), container(env={"A": "2"}), ["P.web.Environment.A: 1 -> 2"]),
        (container(), container(env={"A": "2"}), ["P.web.Environment.A: nothing -> 2"]),
        ('["a", "b"]', '["a"]', ["P.1: b -> nothing"]),
        (
            '{"UserData": "QQ=="}',
            '{"UserData": "Qg=="}',
            ["P.UserData: the script -> another script"],
        ),
        ("[broken", "{broken", ["P: [broken -> {broken"]),
    ],
)
def test_only_what_differs_is_left(
    before: str | None, after: str | None, expected: list[str]
) -> None:
    assert lines(before, after) == expected


def test_values_of_secrets_are_left_out() -> None:
    before, after = container(env={"DB_PASSWORD": "canary"}), container(env={"DB_PASSWORD": "bird"})
    assert lines(before, after) == ["P.web.Environment.DB_PASSWORD: *** -> ***"]
    assert lines("canary", "bird", "AuthToken") == ["AuthToken: *** -> ***"]


def test_a_long_value_is_cut_and_none_is_no_line() -> None:
    [line] = lines("x" * 500, "y")
    assert len(line) < 80
    assert lines(None, None) == []
