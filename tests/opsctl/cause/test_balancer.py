"""What somebody took away in front of the service."""

from opsctl.aws.failed_calls import FailedCall
from opsctl.snapshot.targets import TargetGroup
from tests.opsctl.cause.histories import ranked
from tests.opsctl.snapshots import NEW, START, deployment, snapshot


def test_a_target_group_that_somebody_deleted_is_the_cause_and_the_way_out() -> None:
    # `why` said "nothing wrong that can be seen", because only a call had failed.
    call = "elasticloadbalancing:DescribeTargetHealth"
    failed = FailedCall(call, "refused", "TargetGroupNotFound", "not found", 1, START)
    [found] = ranked(snapshot(deployment("d1", NEW), states="", failed_calls=(failed,)))
    assert found.id == "target-group-gone" and found.next.endswith("ecs up --revert-drift")


def test_a_target_group_to_which_no_listener_leads_is_told() -> None:
    lonely = TargetGroup("tg", attached=False)
    found = ranked(snapshot(deployment("d1", NEW), target_groups=(lonely,)))
    assert [one.id for one in found] == ["listener-gone"]
    attached = TargetGroup("tg")
    assert not ranked(snapshot(deployment("d1", NEW), target_groups=(attached,)))
