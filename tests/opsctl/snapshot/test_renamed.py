"""A name that opsctl.yaml changes is the live system's only after the next `up`."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsctl.snapshot.renamed import Renamed
from opsctl.snapshot.snapshot import Names
from tests.opsctl.snapshots import config


class NotFound(Exception):
    pass


class Aws:
    """Has the service `web` in the cluster `web` and the cache `web-redis`."""

    def __init__(self, **outputs: str) -> None:
        exceptions = (
            "ClusterNotFoundException", "ServiceNotFoundException", "CacheClusterNotFoundFault",
            "ReplicationGroupNotFoundFault",
        )  # fmt: skip
        self.exceptions = SimpleNamespace(
            **dict.fromkeys(exceptions, NotFound), ClientError=NotFound
        )
        self.cloudformation = self.ecs = self.elasticache = self
        self.outputs = outputs
        self.described = 0

    def describe_stacks(self, *, StackName: str) -> Any:
        self.described += 1
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        return {"Stacks": [{"StackName": StackName, "StackStatus": "CREATE_COMPLETE",
                            "StackId": "arn", "Outputs": outputs}]}  # fmt: skip

    def describe_services(self, *, cluster: str, services: list[str]) -> Any:
        if cluster != "web":
            raise NotFound
        there = services == ["web"]
        service = {"serviceName": "web", "status": "ACTIVE", "desiredCount": 2, "runningCount": 2,
                   "pendingCount": 0, "loadBalancers": [], "deployments": []}  # fmt: skip
        return {"services": [service] if there else []}

    def describe_cache_clusters(self, *, CacheClusterId: str, **_: Any) -> Any:
        if CacheClusterId != "web-redis":
            raise NotFound
        return {"CacheClusters": [{"CacheClusterId": "web-redis"}]}

    def describe_replication_groups(self, **_: Any) -> Any:
        raise NotFound

    def renamed(self, *overrides: str) -> Renamed:
        return Renamed(cast(Any, self), Names.of(config(*overrides)))


@pytest.mark.parametrize("key", ["ecs.service_name", "ecs.cluster_name"])
def test_a_service_with_a_new_name_in_the_config_is_read_by_that_of_its_stack(key: str) -> None:
    aws = Aws(ClusterName="web", ServiceName="web")
    service = aws.renamed(f"{key}=other").service()
    assert service is not None and (service.cluster, service.name) == ("web", "web")


@pytest.mark.parametrize("override", ["db.name=other", "db.kind=replication_group"])
def test_a_cache_with_another_name_or_kind_in_the_config_is_read_as_its_stack_has_it(
    override: str,
) -> None:
    cache = Aws(CacheClusterId="web-redis").renamed(override).cache()
    assert cache is not None and (cache.id, cache.kind) == ("web-redis", "cluster")


def test_nothing_is_invented_where_the_stack_has_made_nothing() -> None:
    assert Aws().renamed("ecs.service_name=other").service() is None
    assert Aws(CacheClusterId="gone").renamed("db.name=other").cache() is None


def test_what_has_the_configs_name_costs_no_call_more() -> None:
    aws = Aws(ClusterName="web", ServiceName="web")
    assert aws.renamed().service() is not None and aws.described == 0


def test_every_part_of_a_snapshot_takes_the_names_from_one_look_at_the_stack() -> None:
    aws = Aws()
    renamed = aws.renamed("ecs.service_name=other")
    assert renamed.service() is None and renamed.service() is None
    assert aws.described == 1
