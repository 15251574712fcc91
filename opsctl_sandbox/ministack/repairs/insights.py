"""Correct ministack's Logs Insights: add `stats … by …`, and refuse unknown commands.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ministack.services import cloudwatch_logs

from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

_COMMANDS = ("fields", "filter", "sort", "limit", "stats")
_ALL, _MOST = "fields @timestamp, @message, @log, @logStream", 10_000
_TERM = re.compile(r"(\w+)\(\s*(\*|[\w@.]+)\s*\)(?:\s+as\s+(\w+))?", re.IGNORECASE)
_SORT = re.compile(r"sort\s+([\w@.]+)(?:\s+(asc|desc))?", re.IGNORECASE)
_LIMIT = re.compile(r"limit\s+(\d+)", re.IGNORECASE)
Row = Mapping[str, str]
_FUNCTIONS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "count": lambda values: str(len(values)),
    "count_distinct": lambda values: str(len(set(values))),
    "min": min,
    "max": max,
    "earliest": min,
    "latest": max,
}


@dataclass(frozen=True)
class Stats:
    """`terms` are (function, field, name); `sort` is (name, whether the greatest is first)."""

    terms: tuple[tuple[str, str, str], ...]
    by: tuple[str, ...]
    sort: tuple[str, bool] | None
    limit: int

    def rows(self, rows: Sequence[Row]) -> Sequence[Row]:
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault(tuple(row.get(name, "") for name in self.by), []).append(row)
        chosen = [
            {
                **dict(zip(self.by, key, strict=True)),
                **{
                    name: _FUNCTIONS[function]([row.get(field, "") for row in mine])
                    for function, field, name in self.terms
                },
            }
            for key, mine in groups.items()
        ]
        if self.sort is not None:
            name, greatest = self.sort
            chosen.sort(key=lambda row: _weight(row.get(name, "")), reverse=greatest)
        return chosen[: self.limit]


def parsed(query: str) -> tuple[str, Stats | None]:
    """Return the query for ministack, and what to compute from its rows. Raises Refused."""
    stages: list[str] = cloudwatch_logs._split_insights_pipes(query)
    for stage in stages:
        command = stage.split()[0].lower()
        if command not in _COMMANDS:
            raise _malformed(f"unexpected symbol found {stage.split()[0]}")
        if stage.lower() == command:
            raise _malformed(f"unexpected end of `{command}`")
    at = next((i for i, stage in enumerate(stages) if stage.lower().startswith("stats ")), None)
    if at is None:
        return query, None
    filters = [stage for stage in stages[:at] if stage.lower().startswith("filter ")]
    return " | ".join([_ALL, *filters]), _stats(stages[at], stages[at + 1 :])


def _stats(stage: str, after: Sequence[str]) -> Stats:
    what, _, by = stage[len("stats ") :].partition(" by ")
    terms = []
    for text in what.split(","):
        term = _TERM.fullmatch(text.strip())
        if term is None or term[1].lower() not in _FUNCTIONS:
            raise _malformed(f"the sandbox does not know `{text.strip()}`")
        terms.append((term[1].lower(), term[2], term[3] or f"{term[1]}({term[2]})"))
    sort, limit = None, _MOST
    for one in after:
        if ordered := _SORT.fullmatch(one):
            sort = (ordered[1], (ordered[2] or "asc").lower() == "desc")
        elif least := _LIMIT.fullmatch(one):
            limit = min(_MOST, int(least[1]))
        else:
            raise _malformed(f"the sandbox does not know `{one}` after stats")
    names = tuple(name.strip() for name in by.split(",") if name.strip())
    return Stats(tuple(terms), names, sort, limit)


def _malformed(reason: str) -> Refused:
    return Refused("MalformedQueryException", reason)


def _weight(value: str) -> tuple[float, str]:
    try:
        return float(value), ""
    except ValueError:
        return 0.0, value


def operations() -> Operations:
    kept: dict[str, Stats] = {}

    async def start(call: Call, ministack: Forward) -> Structure:
        query, stats = parsed(call.parameters["queryString"])
        if stats is None:
            return await ministack(call.parameters)
        limit = int(call.parameters.get("limit") or _MOST)
        answer = await ministack({**call.parameters, "queryString": query, "limit": _MOST})
        kept[answer["queryId"]] = Stats(stats.terms, stats.by, stats.sort, min(limit, stats.limit))
        return answer

    async def results(call: Call, ministack: Forward) -> Structure:
        answer = await ministack(call.parameters)
        stats = kept.get(call.parameters["queryId"])
        if stats is None:
            return answer
        rows = [{one["field"]: one["value"] for one in row} for row in answer["results"]]
        made = [
            [{"field": name, "value": value} for name, value in row.items()]
            for row in stats.rows(rows)
        ]
        return {**answer, "results": made}

    return {("logs", "StartQuery"): start, ("logs", "GetQueryResults"): results}
