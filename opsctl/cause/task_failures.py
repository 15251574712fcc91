"""Classify failed tasks by their codes, reasons and last log lines.

ECS, Docker and containerd word the same failure in many ways, and every agent version adds
one, so each pattern matches what the wordings share. The order matters: the first kind that
fits is used.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from opsctl.cause.history import History
from opsctl.snapshot.lines import last_words
from opsctl.snapshot.tasks import Task


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """A failed task. `lines` are its own last log lines; `kind` is the id of the cause."""

    task: Task
    reason: str
    lines: tuple[str, ...]
    kind: str = ""

    @property
    def text(self) -> str:
        return "\n".join([self.reason, *self.lines])

    @property
    def words(self) -> tuple[str, ...]:
        """Its last lines, without the stack trace of a crash."""
        return last_words(self.lines)

    @property
    def last(self) -> str:
        """The last line that it wrote; '' if it wrote nothing."""
        return self.words[-1] if self.lines else ""


# ECS says this of every task that exits, so it explains nothing.
GENERIC = re.compile(r"(?:Essential container in task exited|Task failed to start)\.?")
Fits = Callable[[TaskFailure], bool]


def _says(pattern: str, *, flags: int = re.IGNORECASE) -> Fits:
    """Return a test: does the reason or a log line match `pattern`?"""
    compiled = re.compile(pattern, flags)
    return lambda failure: bool(compiled.search(failure.text))


def _reason(pattern: str) -> Fits:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda failure: bool(compiled.search(failure.reason))


def _wrote(pattern: str) -> Fits:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda failure: any(compiled.search(line) for line in failure.lines)


def _ended_with(pattern: str) -> Fits:
    """Return a test: does one of the last two log lines match? Earlier lines may show trouble that
    the task survived.
    """
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda failure: any(compiled.search(line) for line in failure.words[-2:])


def _both(first: Fits, second: Fits) -> Fits:
    return lambda failure: first(failure) and second(failure)


def _together(first: str, second: str) -> Fits:
    """Match when the reason or one of the last lines contains both patterns."""
    one, other = (re.compile(pattern, re.IGNORECASE) for pattern in (first, second))
    return lambda failure: any(
        one.search(text) and other.search(text) for text in (failure.reason, *failure.words[-2:])
    )


def _killed(failure: TaskFailure) -> bool:
    """Return whether the task got a SIGKILL that ECS did not send: nearly always the kernel, out of
    memory.
    """
    return failure.task.exited and failure.task.exit_code == 137


DENIED = (
    r"AccessDenied|not authorized|UnauthorizedOperation|unauthorized|forbidden|"
    r"access denied|\bdenied\b|no basic auth credentials|authorization token has expired|"
    r"unable to assume the (?:execution )?role|\b403\b|has the permissions? to pull"
)
_PULL = (
    r"CannotPull|pull (?:access|image|command)|ImageManifest|failed to pull|docker pull"
    r"|(?:get|pull|retrieve|ecr) registry auth|invalid reference format"
)
_SECRET = r"secret|SSM Parameter|ssm param|parameter store|GetParameter|Secrets ?Manager"
# Running tasks write such lines, too, so the pattern requires both: Redis, and what is wrong with
# it.
REDIS = (
    r"redis\b.*(?:cannot be reached|is lost|refused|timed? ?out(?!\W{0,2}\d)|unreachable"
    r"|unavailable|connect(?!ed\b)|no route|reset|name or service)"
    r"|the store cannot be reached|\bstore\b.*unreachable"
    r"|(?:connect(?!ed\b)\w*|ECONN\w+|dial tcp|timeout|timed out).*(?:[:,] ?6379\b|\bredis\b)"
    r"|\b(?:WRONGPASS|NOAUTH)\b|MaxRetryError.*6379"
)
AUTH = (
    r"auth(?:entication|orization)? server.*"
    r"(?:cannot be (?:asked|reached)|timed? ?out|unreachable|refused|unavailable|does not answer"
    r"|no answer|connect)"
    r"|(?:cannot|could not|failed to|unable to) (?:reach|connect to|ask) the auth\w* server"
)
CACHE_FULL = r"OOM command not allowed|used memory > 'maxmemory'"
# The last words of a task that exited may come from any client library.
_TROUBLE = (
    r"(?:cannot be reached|\bis lost\b|refused|timed? ?out(?!\W{0,2}\d)|unreachable|no route"
    r"|unavailable|does not answer|deadline exceeded|\breset\b|not known|no such host"
    r"|getaddrinfo|name resolution"
    r"|ECONN\w+|ENOTFOUND|EHOSTUNREACH|ETIMEDOUT|broken pipe|max number of clients"
    r"|(?:cannot|can't|could ?n[o']t|failed to|unable to) (?:connect|reach|fetch|resolve|ask)"
    r"|Connect(?:ion)?(?:Error|Exception|Timeout)|connection (?:error|closed|failed|aborted)"
    r"|handshake|wrong version number|certificate verify failed|\b50[234]\b)"
)
LAST_OF_REDIS = (
    rf"{REDIS}|(?m:^)(?=.*(?:\bredis|:6379\b|\.cache\.amazonaws\.com|Jedis|Lettuce))(?=.*{_TROUBLE})"
    r"|\b(?:MISCONF|LOADING|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|TRYAGAIN) |READONLY You can't write"
    r"|ERR AUTH <password>|ERR invalid password"
    r"|ERR max number of clients reached|\bNOPERM |MOVED \d+ \S+:\d+|read only replica"
    r"|redis\S*\.(?:Authentication|NoPermission|ReadOnly|BusyLoading|MaxConnections)\w*Error"
)
LAST_OF_AUTH = (
    rf"{AUTH}|(?m:^)(?=.*(?:\b(?:re)?auth(?:entication|orization)?\b|identity provider|openid"
    rf"|\boidc\b|\boauth2?\b|jwks|/token\b|\b(?:keycloak|cognito|okta|auth0)\b"
    rf"|://(?:auth|login|idp|sso)\.))(?=.*{_TROUBLE})"
)
CADDYFILE = (
    r"caddyfile\S*:\d+\b|unknown directive|unrecognized directive|adapting config|"
    r"error during parsing|parsing caddyfile|no site has the port \d|"
    r"\bcaddyfile\b.*(?:cannot be read|no such file|not found|permission denied|is empty)"
)
KINDS: Sequence[tuple[str, Fits]] = (
    (
        "wrong-architecture",
        _says(
            r"exec format error|no matching manifest for|matching platform|"
            r"requested platform|no match for platform|"
            r"image platform .* does not match|cannot execute binary file|"
            r"cannot be used on this platform|qemu-\w+: Could not open"
        ),
    ),
    ("pull-denied", _both(_reason(_PULL), _reason(DENIED))),
    (
        "pull-limited",
        _both(
            _reason(_PULL),
            _reason(r"toomanyrequests|rate limit|too many requests|\b429\b|Throttl|Rate exceeded"),
        ),
    ),
    (
        "disk-full",
        _says(
            r"no space left on device|disk quota exceeded|not enough disk|disk is full|"
            r"free data blocks which"
        ),
    ),
    (
        "image-not-found",
        _reason(
            r"manifest unknown|manifest for .* not found|no such image|image not found|"
            r"Requested image not found|repository .* (?:does not exist|not found)|name unknown|"
            r"ImageNotFound|RepositoryNotFound|CannotPull.*(?:not found|404|does not exist)|"
            r"failed to resolve ref\w*.*not found|invalid reference format"
        ),
    ),
    (
        "registry-unreachable",
        _both(
            _reason(_PULL),
            _reason(
                r"timeout|timed out|deadline exceeded|dial tcp|no route|handshake|"
                r"connection re(?:fused|set)|no such host|request canceled|unreachable|EOF|"
                r"connection issue|network configuration|server misbehaving|context canceled|"
                r"x509|unexpected (?:HTTP )?status|\b50\d\b"
            ),
        ),
    ),
    (
        "secret-empty",
        _says(
            rf"(?:{_SECRET}|variable).*\b(?:is|was) (?:there but |present but )?(?:empty|blank)"
            rf"|(?:{_SECRET}|variable|password|token|\bkey).*\b(?:must not|can(?:no|')t) be empty"
            r"|\b[A-Z0-9]+_[A-Z0-9_]+\b.* (?:is|was|be) (?:empty|blank)"
            r"|empty (?:secret|value for)|no value for stage|secret value for staging label"
            r"|has no (?:current )?value"
        ),
    ),
    (
        "permission-missing",
        _both(
            _reason(_SECRET + r"|\blog(?:s|ging|ger)?\b|role|kms|ECS was"),
            _reason(DENIED + r"|DecryptionFailure|can't decrypt"),
        ),
    ),
    (
        "permission-missing",
        _ended_with(
            r"AccessDenied\w*|UnauthorizedOperation|not authorized to perform|"
            r"(?:locate|load|find) credentials"
        ),
    ),
    (
        "log-group-missing",
        _says(
            r"specified log (?:group|stream) does not exist|log group \S+ does not exist|"
            r"cannot find the (?:Amazon )?CloudWatch log group(?!.*connection issue)|"
            r"(?:log\w* driver|logger args|log stream).*(?:ResourceNotFound|does not exist)"
        ),
    ),
    ("logging-failed", _reason(r"initialize logging driver|validate logger args")),
    (
        "secret-missing",
        _together(
            _SECRET + r"|`(?:ssm|secretsmanager):\S+` cannot be resolved",
            (
                r"invalid (?:ssm )?parameters?|can't find the specified secret|ResourceNotFound|"
                r"ParameterNotFound|ParameterVersionNotFound|did not contain json key|not found|"
                r"does not exist|cannot be resolved|no text named|has no `secrets`|is not set|"
                r"no such file|"
                r"unable to (?:pull|retrieve|fetch) secrets?|Fetching secret data|"
                r"marked (?:for )?delet|connection issue"
            ),
        ),
    ),
    (
        "port-taken",
        _says(
            r"port is already allocated|address already in use|EADDRINUSE|"
            r"bind for \S+ failed|port \d+ (?:is )?(?:already )?in use|cannot listen on"
        ),
    ),
    ("cache-full", _ended_with(CACHE_FULL)),
    (
        "out-of-memory",
        _says(
            r"OutOfMemory|out of memory|oom[- ]?kill|killed due to memory|heap out of memory|"
            r"cannot allocate memory|MemoryError|memory limit too low|"
            r"memory limit .*\b(?:reached|exceeded)"
        ),
    ),
    ("caddyfile-refused", _wrote(CADDYFILE)),
    ("redis-unreachable", _ended_with(LAST_OF_REDIS)),
    ("auth-unreachable", _ended_with(LAST_OF_AUTH)),
    ("out-of-memory", _killed),
    ("container-unhealthy", _reason(r"container health check|failed container health|HEALTHCHECK")),
    ("target-unhealthy", lambda failure: failure.task.failed_health_checks),
    ("instance-lost", lambda failure: failure.task.lost),
    ("container-cannot-start", lambda failure: failure.task.stop_code == "TaskFailedToStart"),
    ("container-exited", lambda failure: failure.task.exited),
    ("task-failed", lambda failure: True),
)
# Stop codes of tasks that somebody or the scheduler stopped on purpose.
_WANTED = {"ServiceSchedulerInitiated", "UserInitiated"}
_EXITED = "container-exited"


def failures(history: History) -> tuple[TaskFailure, ...]:
    """Return every task that was seen to fail, newest first, with its kind."""
    lines = history.now.lines
    read = [_failure(one, lines.get(one.id, ())) for one in history.tasks.values() if _failed(one)]
    # Lines arrive late, and then one task has told what the others ended for, too.
    told = {_alike(one): one.kind for one in read if one.lines and one.kind != _EXITED}
    known = [
        replace(one, kind=told.get(_alike(one), _EXITED))
        if one.kind == _EXITED and not one.lines
        else one
        for one in read
    ]
    return tuple(sorted(known, key=lambda one: _when(one.task), reverse=True))


def _alike(failure: TaskFailure) -> tuple[str, int | None]:
    return failure.task.task_definition, failure.task.exit_code


def of(history: History, *kinds: str) -> Mapping[str, tuple[TaskFailure, ...]]:
    """Return the failures of these kinds, grouped by the id of the deployment that started the
    task.
    """
    grouped: dict[str, tuple[TaskFailure, ...]] = {}
    for failure in failures(history):
        if failure.kind in kinds:
            mine = grouped.get(failure.task.deployment, ())
            grouped[failure.task.deployment] = (*mine, failure)
    return grouped


def _failed(task: Task) -> bool:
    if not task.is_stopped:
        return False
    unhealthy = "health check" in task.reason.lower()
    return task.failed or task.lost or unhealthy or (bool(task.exit_code) and not _wanted(task))


def _wanted(task: Task) -> bool:
    return task.stop_code in _WANTED or task.reason.startswith("Scaling activity")


@lru_cache(maxsize=1024)
def _failure(task: Task, lines: tuple[str, ...]) -> TaskFailure:
    """Return the task as a TaskFailure with its kind. Cached, because every rule asks for all of
    them at every snapshot.
    """
    own = [one.reason for one in task.containers if one.reason]
    # On EC2 the task's own reason often says only that it failed.
    reasons = own if own and GENERIC.fullmatch(task.reason) else [task.reason, *own]
    bare = TaskFailure(task, "; ".join(dict.fromkeys(filter(None, reasons))), lines)
    kind = next(name for name, fits in KINDS if fits(bare))
    return TaskFailure(task, bare.reason, lines, kind)


def _when(task: Task) -> float:
    return task.stopped.timestamp() if task.stopped else 0.0


def says(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda line: bool(compiled.search(line))
