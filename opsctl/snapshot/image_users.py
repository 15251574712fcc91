"""Read which images the account's ECS uses: services of every cluster, and tasks.

Call this before images are removed. An image whose users cannot be read counts as used.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from opsctl.snapshot.tasks import batches
from opsctl.snapshot.together import together

if TYPE_CHECKING:
    from mypy_boto3_ecs.client import ECSClient

_SERVICES = 10  # the maximum for one DescribeServices call
_SIDE_BY_SIDE = 8


def read(ecs: "ECSClient") -> frozenset[str]:
    """Return image references as written in task definitions, and digests of running images."""
    clusters = [
        arn for page in ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]
    ]
    definitions: set[str] = set()
    images: set[str] = set()
    for cluster in clusters:
        definitions |= _of_services(ecs, cluster)
        tasks = _tasks(ecs, cluster)
        definitions |= {task["taskDefinitionArn"] for task in tasks}
        for container in chain.from_iterable(task.get("containers", ()) for task in tasks):
            images |= {container.get("image", ""), container.get("imageDigest", "")}
    describe = partial(ecs.describe_task_definition)
    for answer in _some([partial(describe, taskDefinition=arn) for arn in sorted(definitions)]):
        containers = answer["taskDefinition"].get("containerDefinitions", ())
        images |= {container.get("image", "") for container in containers}
    return frozenset(images - {""})


def _of_services(ecs: "ECSClient", cluster: str) -> set[str]:
    """Return the task definitions of every active service and of each of its deployments."""
    pages = ecs.get_paginator("list_services").paginate(cluster=cluster)
    arns = [arn for page in pages for arn in page["serviceArns"]]
    batched = [arns[at : at + _SERVICES] for at in range(0, len(arns), _SERVICES)]
    describe = partial(ecs.describe_services, cluster=cluster)
    used: set[str] = set()
    for answer in _some([partial(describe, services=batch) for batch in batched]):
        for service in answer["services"]:
            if service.get("status") == "INACTIVE":
                continue
            several = [*service.get("deployments", ()), *service.get("taskSets", ())]
            used |= {one.get("taskDefinition", "") for one in [service, *several]}
    return used - {""}


def _tasks(ecs: "ECSClient", cluster: str) -> list[Any]:
    """Return the running and pending tasks, whoever started them."""
    pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus="RUNNING")
    arns = [arn for page in pages for arn in page["taskArns"]]
    describe = partial(ecs.describe_tasks, cluster=cluster)
    answers = _some([partial(describe, tasks=batch) for batch in batches(arns)])
    return [task for answer in answers for task in answer["tasks"]]


def _some(calls: Sequence[Any]) -> Iterable[Any]:
    for at in range(0, len(calls), _SIDE_BY_SIDE):
        yield from together(calls[at : at + _SIDE_BY_SIDE])
