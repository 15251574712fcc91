"""What differs between two values of a property, in a few words."""

import json

import pytest

from opsctl.stacks.differences import differences

CONTAINER = {"Name": "web", "Memory": 400, "Ports": [80, 8082], "Environment": []}


def test_of_a_structure_only_what_differs_is_shown() -> None:
    changed = CONTAINER | {"Memory": 512, "Ports": [80], "Environment": [{"Name": "A"}]}
    shown = differences(json.dumps([CONTAINER]), json.dumps([changed]))
    assert shown == [
        ("[0].Memory", "400", "512"),
        ("[0].Ports[1]", "8082", "(none)"),
        ("[0].Environment[0]", "(none)", '{"Name": "A"}'),
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("3", "4", ("", "3", "4")),
        (None, "4", ("", "(none)", "4")),
        ("a", "{{changeSet:KNOWN_AFTER_APPLY}}", ("", "a", "(known after apply)")),
        ("[1", "[2", ("", "[1", "[2")),
        ("{}", "[]", ("", "{}", "[]")),
        ("x" * 70, "y", ("", "x" * 59 + "…", "y")),
    ],
)
def test_other_values_are_shown_as_they_are_but_not_at_length(
    before: str | None, after: str, expected: tuple[str, str, str]
) -> None:
    assert differences(before, after) == [expected]
