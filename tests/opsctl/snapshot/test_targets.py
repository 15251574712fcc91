from opsctl.snapshot import targets
from opsctl.snapshot.targets import Listener, Target
from tests.opsctl.snapshot.conftest import Stub


def test_a_target_has_its_state_with_the_load_balancers_reason(stub: Stub) -> None:
    elbv2, stubber = stub("elbv2")
    health = {
        "Target": {"Id": "i-1", "Port": 32768},
        "TargetHealth": {"State": "unhealthy", "Reason": "Target.Timeout"},
    }
    stubber.add_response(
        "describe_target_health", {"TargetHealthDescriptions": [health]}, {"TargetGroupArn": "tg"}
    )
    [target] = targets.read(elbv2, "tg")
    assert target == Target("i-1:32768", "unhealthy", "Target.Timeout")
    assert (target.instance, target.in_words) == ("i-1", "unhealthy (Target.Timeout)")


def test_the_listener_is_the_first_of_the_groups_load_balancer(stub: Stub) -> None:
    elbv2, stubber = stub("elbv2")
    stubber.add_response("describe_target_groups", {"TargetGroups": [{"LoadBalancerArns": ["lb"]}]})
    stubber.add_response("describe_load_balancers", {"LoadBalancers": [{"DNSName": "x.example"}]})
    stubber.add_response("describe_listeners", {"Listeners": [{"Port": 443, "Protocol": "TLS"}]})
    assert targets.listener(elbv2, "tg") == Listener("x.example", 443, tls=True)


def test_a_group_without_a_load_balancer_has_no_listener(stub: Stub) -> None:
    elbv2, stubber = stub("elbv2")
    stubber.add_response("describe_target_groups", {"TargetGroups": [{"LoadBalancerArns": []}]})
    assert targets.listener(elbv2, "tg") is None


def test_a_url_has_its_scheme_host_and_port() -> None:
    assert Listener("x", 80).url == "http://x:80"
    assert Listener("x", 443, tls=True).url == "https://x:443"
