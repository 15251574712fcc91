"""Words that fit into a terminal: by its columns, and commands that can be pasted."""

import shlex

import pytest

from opsctl.cli.screens.words import columns, fitted, step

ADMIT = (
    "to admit them again: aws ec2 authorize-security-group-ingress --group-id sg-0a1b2c3d4e5f6 "
    "--protocol tcp --port 6379 --source-group sg-0c3d4e5f6"
)
QUOTED = "opsctl --config 'a long directory/opsctl.yaml' logs tail stdout --since 15m --no-follow"


@pytest.mark.parametrize("hint", [ADMIT, QUOTED])
@pytest.mark.parametrize("width", [56, 76])
def test_a_long_command_continues_on_the_next_line_as_in_a_shell(hint: str, width: int) -> None:
    lines = step(hint, width)
    assert max(map(len, lines)) <= width
    begin = next(n for n, line in enumerate(lines) if line.startswith(("aws", "opsctl")))
    pasted = "\n".join(lines[begin:]).replace("\\\n", "")
    assert shlex.split(pasted) == shlex.split(hint.rpartition(": ")[2])


def test_a_command_that_does_not_fit_behind_its_words_begins_a_line() -> None:
    hint = "allow this caller `cloudformation:DescribeStacks`, then check: aws sts get-caller-id"
    assert step(hint, 76)[-1] == "aws sts get-caller-id"


def test_words_without_a_command_are_only_wrapped() -> None:
    hint = "choose one: it's the first, or it's the second, or it's one that nobody has heard of"
    assert " ".join(step(hint, 40)) == hint
    assert step("add --yes", 40) == ["add --yes"]


def test_wide_characters_take_two_columns() -> None:
    assert columns("漢字") == 4 and columns("e\u0301") == 1
    assert fitted("漢字漢字", 6) == "漢字…" and fitted("漢字", 4) == "漢字"
    assert fitted("abc", 0) == "…"
