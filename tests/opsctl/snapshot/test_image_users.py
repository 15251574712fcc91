"""Every image that something in the account's ECS names."""

from opsctl.snapshot import image_users
from tests.opsctl.snapshot.conftest import Stub

CLUSTER = "arn:aws:ecs:us-east-1:1:cluster/other"


def definition(name: str, image: str) -> dict[str, object]:
    return {"taskDefinition": {"containerDefinitions": [{"name": name, "image": image}]}}


def test_services_of_every_cluster_their_deployments_and_single_tasks_are_asked(
    stub: Stub,
) -> None:
    ecs, stubber = stub("ecs")
    stubber.add_response("list_clusters", {"clusterArns": [CLUSTER]})
    stubber.add_response("list_services", {"serviceArns": ["s1", "s2"]}, {"cluster": CLUSTER})
    stubber.add_response(
        "describe_services",
        {
            "services": [
                {
                    "status": "ACTIVE",
                    "desiredCount": 0,
                    "taskDefinition": "b:2",
                    "deployments": [{"taskDefinition": "a:1"}],
                },
                {"status": "INACTIVE", "taskDefinition": "z:1"},
            ]
        },
    )
    stubber.add_response("list_tasks", {"taskArns": ["t"]})
    container = {"image": "r/a:v1", "imageDigest": "sha256:1"}
    task = {"taskDefinitionArn": "a:1", "containers": [container]}
    stubber.add_response("describe_tasks", {"tasks": [task]})
    # The first is asked in this thread, the second in another, which a Stubber does not order.
    stubber.add_response("describe_task_definition", definition("a", "r/a:v1"))
    stubber.add_response("describe_task_definition", definition("a", "r/b@sha256:2"))
    assert image_users.read(ecs) == {"r/a:v1", "sha256:1", "r/b@sha256:2"}
    stubber.assert_no_pending_responses()
