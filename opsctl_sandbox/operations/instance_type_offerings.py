"""Which instance types EC2 offers where: the usual families, in every zone."""

import fnmatch
from itertools import product

from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire import models
from opsctl_sandbox.wire.calls import Call, Forward, Refused, Structure
from opsctl_sandbox.wire.paging import paged

_BURSTABLE = ("t2", "t3", "t3a", "t4g")
_OTHERS = tuple(
    f"{family}{generation}"
    for family, generation in product("cmr", ("5", "5a", "6a", "6g", "6i", "7a", "7g", "7i", "8g"))
)
_SMALL = ("nano", "micro", "small", "medium", "large", "xlarge", "2xlarge")
_LARGE = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "9xlarge", "12xlarge", "16xlarge")
_TYPES = tuple(
    name
    for family, size in (*product(_BURSTABLE, _SMALL), *product(_OTHERS, ("medium", *_LARGE)))
    # Not every family has every size.
    if (name := f"{family}.{size}") in models.values("ec2", "InstanceType")
)
_FIELDS = {"instance-type": "InstanceType", "location": "Location"}


async def describe(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    return await _paged(call, forward)


async def _all(call: Call, forward: Forward) -> Structure:
    request = call.parameters
    kind = request.get("LocationType") or "region"
    places = {
        "region": [call.region],
        "availability-zone": [f"{call.region}{letter}" for letter in "abc"],
        "availability-zone-id": ["use1-az1", "use1-az2", "use1-az3"],
    }.get(kind)
    if places is None:
        raise Refused(
            "InvalidParameterValue", f"The location type '{kind}' is not valid for this request"
        )
    offers = [
        {"InstanceType": one, "LocationType": kind, "Location": place}
        for one, place in product(_TYPES, places)
    ]
    for wanted in request.get("Filters") or ():
        field = _FIELDS.get(wanted["Name"])
        if field is None:
            raise Refused("InvalidParameterValue", f"The filter '{wanted['Name']}' is invalid")
        patterns = wanted.get("Values", ())
        offers = [
            one for one in offers if any(fnmatch.fnmatchcase(one[field], p) for p in patterns)
        ]
    return {"InstanceTypeOfferings": offers}


_paged = paged(size=1000, code="InvalidParameterValue", least=5, most=1000, whole=_all)
OPERATIONS = {"DescribeInstanceTypeOfferings": describe}
