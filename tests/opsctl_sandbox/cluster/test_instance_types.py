"""vCPU and memory of instance types, as the pages of EC2 list them."""

import pytest

from opsctl_sandbox.cluster import instance_types


@pytest.mark.parametrize(
    ("name", "vcpu", "gib", "architecture"),
    [
        ("t2.micro", 1, 1, "x86_64"),
        ("t3.micro", 2, 1, "x86_64"),
        ("t3.xlarge", 4, 16, "x86_64"),
        ("t4g.small", 2, 2, "arm64"),
        ("m5.large", 2, 8, "x86_64"),
        ("m5.24xlarge", 96, 384, "x86_64"),
        ("m5.metal", 96, 384, "x86_64"),
        ("c5.9xlarge", 36, 72, "x86_64"),
        ("c6gn.16xlarge", 64, 128, "arm64"),
        ("m6g.medium", 1, 4, "arm64"),
        ("r7i.48xlarge", 192, 1536, "x86_64"),
        ("m7i.metal-24xl", 96, 384, "x86_64"),
        ("a1.large", 2, 4, "arm64"),
        ("g4dn.xlarge", 4, 16, "x86_64"),
    ],
)
def test_an_instance_type_is_as_large_as_ec2_says(
    name: str, vcpu: int, gib: int, architecture: str
) -> None:
    assert instance_types.nominal(name) == (vcpu, gib * 1024)
    assert instance_types.architecture(name) == architecture


def test_an_agent_registers_all_cpu_and_a_little_less_memory() -> None:
    cpu, memory = instance_types.size("t3.small")
    assert cpu == 2048
    assert 1800 < memory < 2048


@pytest.mark.parametrize(
    ("name", "nitro"),
    [
        ("t2.micro", False),
        ("m4.large", False),
        ("t3.micro", True),
        ("m5.large", True),
        ("c6g.large", True),
    ],
)
def test_only_nitro_tells_its_console_at_any_time(name: str, nitro: bool) -> None:
    assert instance_types.is_nitro(name) is nitro
