from typing import Any

import pytest

from opsctl.snapshot import service
from opsctl.snapshot.service import Deployment
from tests.opsctl.snapshot.conftest import Stub

SERVICE: dict[str, Any] = {
    "serviceName": "s",
    "status": "ACTIVE",
    "desiredCount": 2,
    "runningCount": 1,
    "pendingCount": 1,
    "taskDefinition": "td:2",
    "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 150},
    "loadBalancers": [{"targetGroupArn": "tg", "containerName": "app", "containerPort": 8082}],
    "deployments": [
        {
            "id": "ecs-svc/2",
            "status": "PRIMARY",
            "taskDefinition": "td:2",
            "desiredCount": 2,
            "runningCount": 1,
            "pendingCount": 1,
            "failedTasks": 1,
            "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": "in progress",
        }
    ],
    "events": [{"id": "e2", "message": "second"}, {"id": "e1", "message": "first"}],
}


def test_a_service_has_its_counts_deployments_and_events_oldest_first(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    stubber.add_response("describe_services", {"services": [SERVICE]})

    read = service.describe(ecs, "c", "s")

    assert read is not None
    assert (read.desired, read.running, read.pending) == (2, 1, 1)
    assert (read.minimum_percent, read.maximum_percent) == (50, 150)
    assert read.primary == Deployment(
        "ecs-svc/2", "PRIMARY", "td:2", 2, 1, 1, 1, "IN_PROGRESS", "in progress"
    )
    assert [event.text for event in read.events] == ["first", "second"]
    assert read.target_groups == ("tg",)


@pytest.mark.parametrize("services", [[], [{"status": "INACTIVE"}], [{"status": "DRAINING"}]])
def test_a_service_that_is_not_there_or_goes_away_is_none(
    stub: Stub, services: list[dict[str, Any]]
) -> None:
    ecs, stubber = stub("ecs")
    stubber.add_response("describe_services", {"services": services})
    assert service.describe(ecs, "c", "s") is None


def test_a_service_of_a_cluster_that_is_not_there_is_none(stub: Stub) -> None:
    ecs, stubber = stub("ecs")
    stubber.add_client_error("describe_services", "ClusterNotFoundException")
    assert service.describe(ecs, "c", "s") is None
