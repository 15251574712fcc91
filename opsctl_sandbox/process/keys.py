"""The keys of one sandbox, all derived from one secret.

The secret is random, drawn at the start, and readable by the owner only.
"""

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
        """The key in `sandbox env`, for those who run commands."""
        return Key(
            f"SANDBOX{self._word('operator')[:13].upper()}",
            self._word("operator's secret"),
            f"arn:aws:iam::{self.account}:user/operator",
        )

    @property
    def task(self) -> Key:
        """The key of the tasks, like the credentials of their role on AWS."""
        return Key(
            f"SANDBOXTASK{self._word('task')[:9].upper()}",
            self._word("task's secret"),
            f"arn:aws:sts::{self.account}:assumed-role/task/sandbox",
        )

    @property
    def registry(self) -> str:
        """The `Authorization` header for the registry, like that of an ECR login."""
        return basic(REGISTRY_USER, self.registry_password)

    @property
    def registry_password(self) -> str:
        return self._word("registry")

    @property
    def pages(self) -> str:
        """The `Authorization` header for the pages under `/_sandbox/`: the operator's keys."""
        return basic(self.operator.id, self.operator.secret)

    @property
    def metadata(self) -> str:
        """A secret word in the tasks' metadata address, which is read without headers."""
        return self._word("metadata")

    def _word(self, purpose: str) -> str:
        return hmac.new(self.secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()[:40]


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
