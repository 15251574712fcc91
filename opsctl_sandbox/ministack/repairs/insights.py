"""Correct ministack's Logs Insights.

Add `stats … by …` and the fields of JSON lines, and refuse unknown commands. Sources:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
"""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ministack.services import cloudwatch_logs

from opsctl_sandbox.ministack import records
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure

_COMMANDS = ("fields", "filter", "sort", "limit", "stats")
_ALL, _MOST = "fields @timestamp, @message, @log, @logStream", 10_000
_TERM = re.compile(r"(\w+)\(\s*(\*|[\w@.]+)\s*\)(?:\s+as\s+(\w+))?", re.IGNORECASE)
_SORT = re.compile(r"sort\s+([\w@.]+)(?:\s+(asc|desc))?", re.IGNORECASE)
_COMPARED = re.compile(r"filter\s+([a-z]\w*)\s*(>=|<=|>|<|=)\s*(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_SIGNS = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}
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
        return _sorted(chosen, self.sort)[: self.limit]


@dataclass(frozen=True)
class Discovered:
    """A query about fields of JSON lines. `conditions` are (field, sign, number)."""

    names: tuple[str, ...]
    conditions: tuple[tuple[str, str, float], ...]
    sort: tuple[str, bool] | None
    limit: int

    def rows(self, rows: Sequence[Row]) -> Sequence[Row]:
        chosen = [{**row, **_discovered(row.get("@message", ""))} for row in rows]
        for name, sign, number in self.conditions:
            chosen = [
                row for row in chosen if name in row and _SIGNS[sign](_weight(row[name])[0], number)
            ]
        least = _sorted(chosen, self.sort)[: self.limit]
        return [{name: row[name] for name in self.names if name in row} for row in least]


def _discovered(message: str) -> Row:
    try:
        content = json.loads(message)
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        name: str(value) for name, value in content.items() if isinstance(value, str | float | int)
    }


def parsed(query: str) -> tuple[str, Stats | Discovered | None]:
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
        return _discovering(query, stages)
    filters = [stage for stage in stages[:at] if stage.lower().startswith("filter ")]
    return " | ".join([_ALL, *filters]), _stats(stages[at], stages[at + 1 :])


def _discovering(query: str, stages: Sequence[str]) -> tuple[str, Discovered | None]:
    names, conditions, others, sort, limit = list[str](), [], [_ALL], None, _MOST
    for stage in stages:
        if stage.lower().startswith("fields "):
            names += [name.strip() for name in stage[len("fields ") :].split(",")]
        elif compared := _COMPARED.fullmatch(stage):
            conditions.append((compared[1], compared[2], float(compared[3])))
        elif ordered := _ordering(stage):
            sort = ordered
        elif (most := _limiting(stage)) is not None:
            limit = most
        else:
            others.append(stage)
    asks = [*names, *(name for name, *_ in conditions), *([sort[0]] if sort else [])]
    if all(name.startswith("@") for name in asks):
        return query, None
    return " | ".join(others), Discovered(tuple(names), tuple(conditions), sort, limit)


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
        if ordered := _ordering(one):
            sort = ordered
        elif (most := _limiting(one)) is not None:
            limit = most
        else:
            raise _malformed(f"the sandbox does not know `{one}` after stats")
    names = tuple(name.strip() for name in by.split(",") if name.strip())
    return Stats(tuple(terms), names, sort, limit)


def _ordering(stage: str) -> tuple[str, bool] | None:
    match = _SORT.fullmatch(stage)
    return (match[1], (match[2] or "asc").lower() == "desc") if match else None


def _limiting(stage: str) -> int | None:
    match = _LIMIT.fullmatch(stage)
    return min(_MOST, int(match[1])) if match else None


def _malformed(reason: str) -> Refused:
    return Refused("MalformedQueryException", reason)


def _sorted(rows: Sequence[Row], sort: tuple[str, bool] | None) -> Sequence[Row]:
    if sort is None:
        return rows
    name, greatest_first = sort
    return sorted(rows, key=lambda row: _weight(row.get(name, "")), reverse=greatest_first)


def _weight(value: str) -> tuple[float, str]:
    try:
        return float(value), ""
    except ValueError:
        return 0.0, value


def _require_groups(call: Call) -> None:
    """Refuse groups that do not exist, and a time before the first of them was made."""
    request = call.parameters
    names = [
        *(request.get("logGroupNames") or ()),
        *(request.get("logGroupIdentifiers") or ()),
        *([request["logGroupName"]] if "logGroupName" in request else ()),
    ]
    made = []
    for identifier in names:
        name = identifier.partition(":log-group:")[2].removesuffix(":*") or identifier
        group = records.find(cloudwatch_logs._log_groups, name)
        if group is None:
            sentence = f"Log group '{name}' does not exist for account ID '{call.account}'"
            raise Refused("ResourceNotFoundException", sentence)
        made.append(int(group["creationTime"]))
    if made and request["endTime"] * 1000 < min(made):
        raise _malformed(
            "Query's end date and time is either before the log groups creation time or exceeds "
            "the log groups log retention settings"
        )


def operations() -> Operations:
    kept: dict[str, Stats | Discovered] = {}

    async def start(call: Call, ministack: Forward) -> Structure:
        query, made = parsed(call.parameters["queryString"])
        _require_groups(call)
        if made is None:
            return await ministack(call.parameters)
        limit = int(call.parameters.get("limit") or _MOST)
        answer = await ministack({**call.parameters, "queryString": query, "limit": _MOST})
        kept[answer["queryId"]] = replace(made, limit=min(limit, made.limit))
        return answer

    async def results(call: Call, ministack: Forward) -> Structure:
        answer = await ministack(call.parameters)
        query = kept.get(call.parameters["queryId"])
        if query is None:
            return answer
        rows = [{one["field"]: one["value"] for one in row} for row in answer["results"]]
        made = [
            [{"field": name, "value": value} for name, value in row.items()]
            for row in query.rows(rows)
        ]
        return {**answer, "results": made}

    return {("logs", "StartQuery"): start, ("logs", "GetQueryResults"): results}
