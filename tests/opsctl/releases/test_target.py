"""Which release a rollback brings back."""

from typing import Any

import pytest

from opsctl.errors import OpsError
from opsctl.releases import closing, target
from opsctl.snapshot.releases import Release
from opsctl.snapshot.secret_versions import SecretVersion
from opsctl.snapshot.task_definitions import TaskDefinition
from tests.opsctl.releases.world import CONFIG, URI
from tests.opsctl.snapshots import NEW, START, deployment, snapshot


def digest(number: int) -> str:
    return f"sha256:{number:064}"


def image(number: int) -> str:
    return f"{URI}@{digest(number)}"


def release(number: int, of: int, outcome: str = "deployed", **more: Any) -> Release:
    return Release(number, START, image=image(of), outcome=outcome, before="a@b", **more)


def chosen(known: list[Release], running: int | None, number: int | None = None) -> int | None:
    at = next((one for one in known if one.number == running), None)
    found = target.choose(known, at, number)
    return found.number if found else None


def test_the_last_good_one_before_the_one_that_runs() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3)]
    assert chosen(known, 3) == 2 and chosen(known, 3, 1) == 1


def test_bad_ones_and_those_of_the_same_image_are_passed_over() -> None:
    known = [release(1, 1), release(2, 2, "rolled-back"), release(3, 3), release(4, 3)]
    assert chosen(known, 4) == 1


def test_a_second_rollback_goes_further_back() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3), release(4, 2, back_to=2)]
    assert chosen(known, 4) == 1


def test_half_way_it_is_the_last_good_one_before_the_one_that_rolls() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3, "running")]
    assert chosen(known, 2) == 2


def test_one_that_failed_by_itself_needs_no_step_further_back() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3, "rolled-back")]
    assert chosen(known, 2) == 2


def test_a_rollback_that_failed_has_not_left_what_runs() -> None:
    # "release 4 failed, and release 3 runs again": nothing was rolled, and the exit code was 0.
    known = [release(1, 1), release(2, 2), release(3, 3)]
    assert chosen([*known, release(4, 2, "failed", back_to=2)], 3) == 2
    assert chosen([*known, release(4, 2, "rolled-back", back_to=2)], 3) == 1
    assert chosen([*known, release(4, 1, "rolled-back", back_to=1)], 3) is None


def test_a_rollback_whose_command_was_killed_is_not_taken_further_back() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3)]
    left = release(4, 2, back_to=2, reason=f"{closing.LEFT}; release 2 runs")
    assert chosen([*known, left], 4) == 4
    assert chosen([*known, left, release(5, 5)], 5) == 4


def test_what_cannot_be_read_or_judged_is_no_failure() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3)]
    assert chosen([*known, release(4, 4, "unreadable")], 3) == 2
    assert chosen([*known, release(4, 4, "an outcome of a later version")], 3) == 2
    with pytest.raises(OpsError, match="release 4 cannot be brought back"):
        chosen([*known, release(4, 4, "unreadable")], 3, 4)


def test_one_that_runs_unhealthy_is_left() -> None:
    known = [release(1, 1), release(2, 2), release(3, 3, "deployed-unhealthy")]
    assert chosen(known, 3) == 2


def test_a_release_missing_in_the_ledger_counts_as_newer_than_all_in_it() -> None:
    # The newest release was passed over, because it was taken for the one that runs.
    assert chosen([release(1, 1), release(2, 2)], None) == 2
    assert chosen([release(1, 1), release(2, 2, "rolled-back")], None) == 1


def test_without_an_earlier_release_there_is_none_to_go_back_to() -> None:
    assert chosen([release(1, 1)], 1) is None and chosen([], None) is None
    with pytest.raises(OpsError, match="there is no release 9"):
        chosen([release(1, 1)], 1, 9)


def test_differences_that_a_rollback_does_not_revert_are_listed() -> None:
    then = release(1, 1, variables={"LEVEL": "a"}, secrets={"ssm:/t": "7"}, config="x", memory=300)
    definition = TaskDefinition(NEW, (image(3),), 512, 400, variables=(("LEVEL", "b"),))
    now = snapshot(
        deployment("d", NEW),
        task_definitions=(definition,),
        secret_versions=(SecretVersion("ssm:/t", "8"),),
    )
    told = " | ".join(one.text for one in target.stays(then, CONFIG, now))
    assert "LEVEL has another value" in told and "version 7 -> version 8" in told
    assert "ecs.memory 300 -> 400" in told and "opsctl.yaml has changed since then" in told
