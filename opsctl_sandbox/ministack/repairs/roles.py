"""Refuse to assume a role that does not exist; ministack gives credentials of any name."""

from ministack.services import iam

from opsctl_sandbox.ministack.records import find
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure


async def assume_role(call: Call, ministack: Forward) -> Structure:
    arn = str(call.parameters["RoleArn"])
    role = find(iam._roles, arn.rpartition("/")[2])
    if role is None or role["Arn"] != arn:
        user = f"arn:aws:iam::{call.account}:root"
        sentence = f"User: {user} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        raise Refused("AccessDenied", sentence, status=403)
    return await ministack(call.parameters)


OPERATIONS: Operations = {("sts", "AssumeRole"): assume_role}
