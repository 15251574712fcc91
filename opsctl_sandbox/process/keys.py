"""The keys of one sandbox: all follow from one secret, which is drawn when it starts and which its
owner alone can read."""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass

from opsctl_sandbox.wire.signature import Key

REGISTRY_USER = "AWS"


@dataclass(frozen=True)
class Keys:
    secret: str
    account: str

    @property
    def operator(self) -> Key:
        """Of `sandbox env`: whoever runs commands."""
        return Key(
            f"SANDBOX{self._word('operator')[:13].upper()}",
            self._word("operator's secret"),
            f"arn:aws:iam::{self.account}:user/operator",
        )

    @property
    def task(self) -> Key:
        """Of the tasks, as the credentials of their role would be on AWS."""
        return Key(
            f"SANDBOXTASK{self._word('task')[:9].upper()}",
            self._word("task's secret"),
            f"arn:aws:sts::{self.account}:assumed-role/task/sandbox",
        )

    @property
    def registry(self) -> str:
        """The `Authorization` of whoever may use the registry, as a login of ECR makes it."""
        return basic(REGISTRY_USER, self.registry_password)

    @property
    def registry_password(self) -> str:
        return self._word("registry")

    @property
    def pages(self) -> str:
        """The `Authorization` for the pages under `/_sandbox/`: the operator's keys."""
        return basic(self.operator.id, self.operator.secret)

    @property
    def metadata(self) -> str:
        """A word in the address of the tasks' metadata, which is read without any header."""
        return self._word("metadata")

    def _word(self, purpose: str) -> str:
        return hmac.new(self.secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()[:40]


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
