"""What runs is seen: the lines of the four sources, and figures of every group."""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from opsctl_sandbox import images
from tests.end_to_end.place import ROOT, Place, events, push
from tests.opsctl_sandbox.clients import client_of

# Nobody is behind this Redis, so that each request is an error of the filter chain.
CADDYFILE = """\
:80 {
    redir / /health.txt
}
:8082 {
    awscloudwatch error /seen/app seen- 65536
    transformrequest {
        scope off
    }
    redis 127.0.0.1:1
    transformresponse
}
"""
GROUPS = {"cluster", "service", "lb", "cache", "logs", "asg"}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def place(system: Callable[[str], Place]) -> Place:
    """Two tasks that were asked and answered with an error, once more in each minute."""
    place = system("seen")
    place.stand_up(tasks=2)
    packed = images.pack(ROOT / "service", CADDYFILE)
    reference = push(place, "seen", packed, tag="first")
    done = place.opsctl("update-tasks", "--yes", "--image", reference)
    assert "deployed, but unhealthy" in done.stderr, done.stderr
    return place


def fail(place: Place) -> str:
    """The request id of one that went wrong behind the load balancer."""
    with closing(client_of(place.env, "elbv2")) as elbv2:
        [balancer] = elbv2.describe_load_balancers(Names=["seen"])["LoadBalancers"]
    url = f"http://{balancer['DNSName']}/v1/cids/1/entity_types/t/domains/d/keys/k"
    with pytest.raises(HTTPError) as caught:
        urlopen(url, timeout=5)
    with closing(caught.value) as answer:
        assert answer.code == 503
        return str(answer.headers["x-request-id"])


def test_an_error_of_the_chain_and_the_lines_of_all_four_sources_are_in_one_tail(
    place: Place,
) -> None:
    identifier = fail(place)
    deadline = time.monotonic() + 60
    while True:
        done = place.opsctl("logs", "tail", "--no-follow", "--since", "1h", "--json")
        assert done.returncode == 0, done.stderr
        lines = events(done, "log")
        mine = [
            line
            for line in lines
            if line["source"] == "app" and (line["fields"] or {}).get("request_id") == identifier
        ]
        if mine or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert [line["fields"]["status"] for line in mine] == [503]
    assert mine[0]["stream"].startswith("seen-")
    assert {line["source"] for line in lines} == {"app", "stdout", "ecs", "agent"}


def test_every_group_of_metrics_has_figures(place: Place) -> None:
    deadline = time.monotonic() + 150  # a figure is of a minute that is over
    seen: set[str] = set()
    while seen != GROUPS and time.monotonic() < deadline:
        with suppress(HTTPError):
            fail(place)
        done = place.opsctl("metrics", "--since", "15m", "--json")
        assert done.returncode == 0, done.stderr
        found = [one for one in events(done, "metric") if any(p is not None for p in one["points"])]
        seen = {one["group"] for one in found}
        time.sleep(2)
    assert seen == GROUPS
