"""A cause on the screen: nothing is said twice."""

import pytest

from opsctl.cause.cause import Cause, Evidence
from opsctl.cli.screens import causes
from opsctl.cli.screens.console import Console

REFUSED = "You have exceeded your quota of cache nodes. (Error Code: NodeQuotaForCustomerExceeded)"
QUOTA = Cause(
    "service-limit",
    f"CacheCluster of `web-db`: a limit of AWS is reached: {REFUSED}",
    evidence=(Evidence("cloudformation", f"CacheCluster CREATE_FAILED: {REFUSED}"),),
    next="opsctl db up",
)


def test_evidence_does_not_repeat_the_words_of_its_sentence() -> None:
    shown = "\n".join(causes.block(Console(), QUOTA, 1))
    assert " ".join(shown.split()).count(REFUSED) == 1
    assert "cloudformation  CacheCluster CREATE_FAILED: the same words" in shown
    assert "→ opsctl db up" in shown


def test_short_evidence_stays_whole_although_the_sentence_has_its_words() -> None:
    cause = Cause("x", "a task exited 3", evidence=(Evidence("task 1", "exited 3"),))
    assert "task 1  exited 3" in "\n".join(causes.block(Console(), cause, 1))


def test_that_the_command_ended_so_is_evidence_only_if_there_is_no_other() -> None:
    ended = Evidence("this command", "no service")
    seen = Evidence("ecs DescribeServices", "not found")
    both = list(causes.block(Console(), Cause("x", "no service", evidence=(ended, seen)), 1))
    assert [line.split() for line in both[1:]] == [["ecs", "DescribeServices", "not", "found"]]
    alone = list(causes.block(Console(), Cause("x", "no service", evidence=(ended,)), 1))
    assert len(alone) == 2


def test_a_failed_command_says_its_error_once(capsys: pytest.CaptureFixture[str]) -> None:
    other = Cause("no-room", "not one more task fits", evidence=(Evidence("i-1", "lacks CPU"),))
    causes.show_failure(Console(), [QUOTA, other], f"rolled back: {QUOTA.sentence}")
    shown = capsys.readouterr().err
    assert shown.startswith("1  certain   the error below:\n")
    assert REFUSED not in shown and "→" not in shown  # both follow, as error and hint
    assert "2  certain   not one more task fits" in shown
