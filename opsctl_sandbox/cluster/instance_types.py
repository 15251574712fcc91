"""What an instance type registers with ECS, by family and size.

https://aws.amazon.com/ec2/instance-types/: the size determines the vCPUs, the family the memory per
vCPU. The burstable families and a few sizes are exceptions.
"""

import re

# (vCPUs, MiB) of the burstable sizes; the small t2 sizes have a single vCPU.
_BURSTABLE = {
    "nano": (2, 512),
    "micro": (2, 1024),
    "small": (2, 2048),
    "medium": (2, 4096),
    "large": (2, 8192),
    "xlarge": (4, 16384),
    "2xlarge": (8, 32768),
}
_SINGLE = ("nano", "micro", "small")
_GIB_FOR_VCPU = {"a": 2, "c": 2, "m": 4, "r": 8, "x": 16, "z": 8, "i": 8, "d": 8, "h": 4, "g": 4}
# `metal` is the whole machine, so its vCPUs depend on the family.
_METAL = {"m5": 96, "c5": 96, "r5": 96, "m6g": 64, "c6g": 64, "r6g": 64, "m7g": 64, "i3": 72}
_WHOLE = 128
# The kernel takes a part before the agent registers the rest.
_REGISTERED = 0.94
_GRAVITON = re.compile(r"^(a1|t4g|[a-z]+\d+g[a-z]*)$")
# Without the Nitro hypervisor, the console is published only some minutes after a change of state.
_XEN = re.compile(r"^([cdgim][1-4]|[prx]1e?|r[34]|t[12])$")


def size(instance_type: str) -> tuple[int, int]:
    """Return the registered (CPU units, MiB)."""
    vcpu, memory = nominal(instance_type)
    return vcpu * 1024, int(memory * _REGISTERED)


def nominal(instance_type: str) -> tuple[int, int]:
    """Return the nominal (vCPUs, MiB)."""
    family, _, word = instance_type.partition(".")
    if family.startswith("t") and word in _BURSTABLE:
        vcpu, memory = _BURSTABLE[word]
        return (1 if family in ("t1", "t2") and word in _SINGLE else vcpu), memory
    vcpu = _vcpu(family, word)
    return vcpu, vcpu * 1024 * _GIB_FOR_VCPU.get(family[:1], 4)


def _vcpu(family: str, word: str) -> int:
    counted = re.fullmatch(r"(?:metal-)?(\d+)xl(?:arge)?", word)
    if counted:
        return 4 * int(counted.group(1))
    if word == "metal":
        return _METAL.get(family, _WHOLE)
    return {"medium": 1, "large": 2, "xlarge": 4}.get(word, 2)


def architecture(instance_type: str) -> str:
    """Return `arm64` for Graviton, else `x86_64`."""
    return "arm64" if _GRAVITON.match(instance_type.partition(".")[0]) else "x86_64"


def is_nitro(instance_type: str) -> bool:
    return not _XEN.match(instance_type.partition(".")[0])
