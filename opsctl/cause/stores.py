"""Causes for what tasks need and cannot reach: Redis, the auth server."""

import re
from collections.abc import Iterator, Sequence

from opsctl.cause import task_failures, telling
from opsctl.cause.cause import Cause, Confidence, Evidence
from opsctl.cause.history import History, Note
from opsctl.snapshot.stacks import StackState

_ADDRESS = re.compile(
    r"\b(?:redis |rediss?://)(?:rediss?://)?(?:\S+@)?([\w.-]+:\d+)", re.IGNORECASE
)
_ANY_ADDRESS = re.compile(r"\b([\w-]+(?:\.[\w-]+)+:\d{2,5})\b")
# Errors with which Redis answers a client that can connect -> what they mean, and what to do.
_ANSWERS = tuple(
    (re.compile(pattern, re.IGNORECASE), words, next)
    for pattern, words, next in (
        (
            r"\b(?:WRONGPASS|NOAUTH)\b|invalid (?:username-)?password|AUTH <password>"
            r"|AuthenticationError",
            "Redis refuses the password of the tasks",
            "a changed password is read when a task starts: opsctl update-tasks --force",
        ),
        (
            r"\bNOPERM\b|NoPermissionError|no permissions to",
            "Redis does not permit the tasks' user to run their commands",
            "its user is `db.user`: opsctl config show --origin",
        ),
        (
            r"\bREADONLY\b|read[ -]only replica",
            "Redis takes no writes, because it is a replica",
            "the address must be the primary's: opsctl db status",
        ),
        (
            r"\bMOVED \d|\bCROSSSLOT\b",
            "Redis runs in cluster mode, and the tasks do not use that mode",
            "REDIS_MODE of the Caddyfile follows `db.cluster_mode`: opsctl update-tasks",
        ),
        (
            r"wrong version number|handshake|certificate|\bSSL|\bTLS",
            "the tasks and Redis do not agree on TLS",
            "`rediss://` goes with `db.encryption_in_transit`: opsctl config show --origin",
        ),
        (
            r"\bLOADING\b|BusyLoadingError",
            "Redis is still loading its data",
            "it passes by itself; to see: opsctl db status",
        ),
        (
            r"max number of clients|MaxConnectionsError",
            "Redis takes no more connections",
            "fewer tasks, or a larger `db.node_type`: opsctl db status",
        ),
    )
)
_STORE = re.compile(task_failures.REDIS, re.IGNORECASE)
_AUTH = re.compile(task_failures.AUTH, re.IGNORECASE)
_FULL = re.compile(task_failures.CACHE_FULL, re.IGNORECASE)
_LAST_OF_STORE = re.compile(task_failures.LAST_OF_REDIS, re.IGNORECASE)
_LAST_OF_AUTH = re.compile(task_failures.LAST_OF_AUTH, re.IGNORECASE)
_NEARLY_ALL = 99  # percent of the cache's memory
_BACK = re.compile(r"\bredis\b.*\b(?:is back|connected|is up)\b", re.IGNORECASE)
_OUTPUTS = ("CacheClusterId", "ReplicationGroupId")
_AWAY = {"deleting", "deleted", "create-failed", "restore-failed", "incompatible-network"}


def redis_unreachable(history: History) -> Iterator[Cause]:
    """Yield a Cause when tasks cannot reach Redis, by lines of failed or running tasks or by an
    answer through the load balancer.
    """
    causes = _causes(history)
    for failures in task_failures.of(history, "redis-unreachable").values():
        line = _matching(_LAST_OF_STORE, [line for one in failures for line in one.lines])
        yield telling.cause(
            history,
            "redis-unreachable",
            failures,
            _sentence(line, history),
            next=_next(causes, line),
            evidence=causes,
        )
    quotes = _quotes(history, _STORE)
    if quotes:
        named = next((one for one in quotes if _ADDRESS.search(one.quote)), quotes[0])
        yield Cause(
            "redis-unreachable",
            _sentence(named.quote, history),
            _sure(history, quotes, causes),
            (*causes, *quotes[:3]),
            _next(causes, named.quote),
            count=len(quotes),
            explains=_EXPLAINS,
        )


def redis_shut(history: History) -> Iterator[Cause]:
    """Yield a Cause when the cache's security group does not admit the instances, even before tasks
    complain.
    """
    shut = _shut_out(history)
    if shut is not None:
        yield Cause(
            "redis-unreachable",
            f"Redis refuses connections from the tasks: {shut.quote}",
            "likely",
            (shut,),
            _next([shut]),
            explains=_EXPLAINS,
        )


def cache_gone(history: History) -> Iterator[Cause]:
    cache, looked = history.now.cache, history.now.holds("cache")
    state = history.now.stack("db")
    if looked and cache is None and state is not None and _made(state):
        yield Cause(
            "cache-gone",
            f"there is no cache `{_name(state)}`, although the stack `{state.name}` "
            "made one: somebody deleted it",
            "certain",
            (Evidence("elasticache Describe", "not found", history.now.at),),
            "to make it anew, empty: opsctl db up --revert-drift",
            explains=_EXPLAINS | {"redis-unreachable"},
        )
    elif cache is not None and cache.status in _AWAY:
        yield Cause(
            "cache-gone",
            f"the cache `{cache.id}` is {cache.status}",
            "certain",
            (Evidence("elasticache Describe", f"status {cache.status}", history.now.at),),
            "opsctl db status",
            explains=_EXPLAINS | {"redis-unreachable"},
        )


def _name(state: StackState) -> str:
    """Return the cache's name, which may be another one in opsctl.yaml already."""
    return next((state.outputs[key] for key in _OUTPUTS if key in state.outputs), "")


def _made(state: StackState) -> bool:
    """Return whether the stack should have a cache now. One that is under way may not have created
    it yet.
    """
    return not state.troubled and not state.in_progress


def cache_full(history: History) -> Iterator[Cause]:
    """Yield a Cause when the cache is full: Redis refuses writes, or its memory is nearly used up.
    With evictions, full memory alone may be fine.
    """
    for failures in task_failures.of(history, "cache-full").values():
        line = _matching(_FULL, [line for one in failures for line in one.lines])
        yield telling.cause(
            history, "cache-full", failures, f"{_NO_WRITES}: {line}", next=_LARGER, evidence=[]
        )
    quotes, use = _quotes(history, _FULL), history.now.cache_use
    used = use.memory if use is not None and use.memory is not None else 0.0
    value = f"{use.fullest}: {used:.0f} %" if use and use.fullest else f"{used:.0f} %"
    metric = Evidence("cloudwatch DatabaseMemoryUsagePercentage", value, history.now.at)
    if quotes or used >= _NEARLY_ALL:
        yield Cause(
            "cache-full",
            f"{_NO_WRITES}: {quotes[0].quote}" if quotes else f"the cache is full: {used:.0f} %",
            "certain" if quotes else "possible",
            (*quotes[:3], *([metric] if used >= _NEARLY_ALL else ())),
            _LARGER,
            hinders=bool(quotes),
        )


def auth_unreachable(history: History) -> Iterator[Cause]:
    for failures in task_failures.of(history, "auth-unreachable").values():
        line = _matching(_LAST_OF_AUTH, [line for one in failures for line in one.lines])
        yield telling.cause(history, "auth-unreachable", failures, _of_auth(line), next=_AUTH_NEXT)
    if quotes := _quotes(history, _AUTH):
        yield Cause(
            "auth-unreachable",
            _of_auth(quotes[0].quote),
            "certain" if len(quotes) > 1 else "likely",
            tuple(quotes[:3]),
            _AUTH_NEXT,
            count=len(quotes),
        )


_EXPLAINS = frozenset(
    {"target-unhealthy", "breaker-tripped", "resource-failed", "auth-unreachable"}
)
_NO_WRITES = "the cache is full, and Redis takes no writes"
_LARGER = "choose a larger `db.node_type`, then run: opsctl db up"
_AUTH_NEXT = "opsctl logs tail app --since 15m --no-follow"


def _of_auth(line: str) -> str:
    return f"the tasks cannot reach the auth server: {telling.quoted(line)}"


def _sentence(line: str, history: History) -> str:
    cache = history.now.cache
    match = _ADDRESS.search(line) or _ANY_ADDRESS.search(line)
    where = match[1] if match else (cache.endpoint if cache else "")
    if (answer := _answered(line)) is not None:
        return f"{answer[0]}: {telling.quoted(line)}"
    at = f" at {where}" if where else ""
    return f"the tasks cannot reach Redis{at}: {telling.quoted(line)}"


def _sure(history: History, quotes: Sequence[Evidence], causes: Sequence[Evidence]) -> Confidence:
    """Return how certain it is that Redis is unreachable. One old warning may have passed; a 503 or
    a closed security group has not.
    """
    answered = any(one.source.startswith("http") for one in quotes)
    return "certain" if answered or causes or len(quotes) > 1 else "likely"


def _quotes(history: History, pattern: re.Pattern[str]) -> list[Evidence]:
    """Return each running task's last matching line, unless a later one says that it is back."""
    quotes = [*_answers(history, pattern)]
    for task, lines in history.now.recent_lines.items():
        alive = history.tasks.get(task)
        if alive is None or not alive.running:
            continue
        matching = [index for index, line in enumerate(lines) if pattern.search(line)]
        back = [index for index, line in enumerate(lines) if _BACK.search(line)]
        if matching and max(back, default=-1) < matching[-1]:
            quotes.append(Evidence(f"task {task[:8]}", telling.quoted(lines[matching[-1]])))
    errors = [line for line in history.now.app_errors if pattern.search(line)]
    quotes += [Evidence("log group app", telling.quoted(line)) for line in errors[-2:]]
    return quotes


def _answers(history: History, pattern: re.Pattern[str]) -> Iterator[Evidence]:
    """Yield what the service answered to the last request through the load balancer."""
    notes: tuple[Note, ...] = history.noted_as("Answer")[-1:]
    for note in notes:
        text, status = str(note.fields.get("text", "")), note.fields.get("status")
        if isinstance(status, int) and status >= 500 and pattern.search(text):
            yield Evidence(str(note.fields.get("url", "")), telling.quoted(text), note.time)


def _causes(history: History) -> list[Evidence]:
    shut = _shut_out(history)
    evidence = [shut] if shut else []
    cache = history.now.cache
    if cache is not None and cache.status:
        evidence.append(
            Evidence("elasticache Describe", f"{cache.id} is {cache.status}", history.now.at)
        )
    return evidence if shut else []


def _shut_out(history: History) -> Evidence | None:
    now = history.now
    cache = now.output("db", "SecurityGroup")
    instances = now.output("ecs", "InstanceSecurityGroup")
    state = now.stack("ecs")
    group = next((one for one in now.security_groups if one.id == cache), None)
    if group is None or not instances or state is None or state.in_progress:
        return None
    # This compares who is admitted, not the port: endpoints other than AWS give the cache their own
    # port. Addresses may be those of the instances.
    if instances in group.admitted or any("/" in source for source in group.admitted):
        return None
    return Evidence(
        "ec2 DescribeSecurityGroups",
        f"security group {group.id} of the cache admits {', '.join(group.admitted) or 'nobody'}, "
        f"the instances have {instances}",
        now.at,
    )


def _answered(line: str) -> tuple[str, str] | None:
    return next(((words, next) for pattern, words, next in _ANSWERS if pattern.search(line)), None)


def _next(causes: Sequence[Evidence], line: str = "") -> str:
    if (answer := _answered(line)) is not None:
        return answer[1]
    if not causes:
        return "address and state of the cache: opsctl db status"
    return f"to admit them again: {telling.REVERT}"


def _matching(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    return next((line for line in reversed(lines) if pattern.search(line)), "")


RULES = (redis_unreachable, redis_shut, cache_gone, cache_full, auth_unreachable)
