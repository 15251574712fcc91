"""Access keys that ministack's IAM and STS have issued, for users and assumed roles."""

import time

from ministack.services import iam, sts

from opsctl_sandbox.ministack.records import find
from opsctl_sandbox.wire.signature import Key


def key(access_key: str) -> Key | None:
    """Return the key, or None if it was not issued or has expired."""
    session = sts._sessions.get(access_key)
    if session is not None:
        if float(session.get("Expiration", 0)) < time.time():
            return None
        return Key(
            access_key,
            str(session["SecretAccessKey"]),
            str(session["Arn"]),
            str(session.get("SessionToken", "")),
        )
    record = find(iam._access_keys, access_key)
    if not record or record.get("Status") != "Active":
        return None
    user = find(iam._users, record["UserName"]) or {}
    return Key(access_key, str(record["SecretAccessKey"]), str(user.get("Arn", "")))
