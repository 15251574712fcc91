"""One operation of a stack, as far as its events were seen.

Pure: each snapshot gives a new value.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from opsctl.outcome import Outcome
from opsctl.procedure import Notice
from opsctl.snapshot.snapshot import Look, Part, Snapshot
from opsctl.snapshot.stacks import StackEvent, StackResource, StackState
from opsctl.stacks.states import EXPECTED

_GROUP = "AWS::AutoScaling::AutoScalingGroup"
# CloudFormation wraps this around the sentence that a resource handler wrote for people.
_ENVELOPE = re.compile(
    r'Resource handler returned message: "(.+)" \((?:RequestToken: \S+, )?HandlerErrorCode: \w+\)'
)
# Expected status -> the word for what did not happen when the stack was deleted instead.
_VERBS: Mapping[str, str] = {"CREATE_COMPLETE": "created", "UPDATE_COMPLETE": "updated"}
# How an update ends that has deleted what it no longer needs, or has tried to.
_CLEANED_UP = ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
AGAIN = "fix that, then run the same command again"
_WANTED = "if it is still wanted, run the same command again"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation. `id` is the stack's id, because a deleted stack has no other name.

    `after` is the id of the newest event seen; None stands for the operation's beginning.
    `expected` is the status of its success. `refusal` is EC2's answer to the Auto Scaling group:
    the stack's event says only that no instance signalled. `fleet` names the group while its
    instances launch and join; they are then read, too. `joined` means that somebody else began it.
    `stopped` means that somebody else cancelled it.
    """

    stack: str
    id: str
    expected: str
    after: str | None = None
    cause: StackEvent | None = None
    ended: StackEvent | None = None
    group: str = ""
    refusal: str = ""
    fleet: str = ""
    seen: "Fleet | None" = None
    joined: bool = False
    cancelled: bool = False
    stopped: bool = False
    left: tuple[StackEvent, ...] = ()
    """What an update could not delete: CloudFormation forgets it, and calls the update complete."""

    @classmethod
    def of(cls, state: StackState) -> Self:
        """Return somebody else's operation, from its beginning."""
        return cls(state.name, state.id, EXPECTED.get(state.status, ""), joined=True)

    @property
    def look(self) -> Look:
        if self.ended is not None:
            return Look(frozenset({"group"}), (), group=self.group)
        parts: frozenset[Part] = frozenset({"events"})
        if self.fleet:
            parts |= {"group", "instances"}
        return Look(parts, (), events_of=self.id, after=self.after, group=self.fleet)

    @property
    def over(self) -> bool:
        return self.ended is not None and not self.group

    @property
    def outcome(self) -> Outcome:
        """The outcome. Only valid when the operation is over."""
        assert self.ended is not None
        status = self.ended.status
        if status == self.expected:
            return Outcome("done")
        if self.cancelled and status in ("DELETE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
            return Outcome("cancelled", f"cancelled: `{self.stack}` ({status})")
        why = f": {self.cause.logical_id}: {self._why}" if self.cause else ""
        if self.stopped and not why and status == "UPDATE_ROLLBACK_COMPLETE":
            words = f"`{self.stack}` ({status}): somebody cancelled the update"
            return Outcome("rolled-back", words, _WANTED, cause="update-cancelled")
        if status in ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
            return Outcome("rolled-back", f"`{self.stack}` ({status}){why}", AGAIN)
        if status == "DELETE_COMPLETE":
            verb = _VERBS.get(self.expected, "changed")
            return Outcome("failed", f"`{self.stack}` was deleted while it was being {verb}", AGAIN)
        why = why or (f": {self.ended.reason}" if self.ended.reason else "")
        return Outcome("failed", f"{self.end}{why}", AGAIN)

    @property
    def end(self) -> str:
        """The last status, as a sentence."""
        return f"`{self.stack}` ended in {self.ended.status if self.ended else '…'}"

    def see(self, now: Snapshot) -> tuple[Self, tuple[object, ...]]:
        if self.ended is not None:
            refusal = now.group.refusal if now.group else ""
            return replace(self, group="", refusal=refusal), ()
        now.require("events")
        ended = next((event for event in now.events if event.ends), None)
        # Later events belong to the next operation, which is somebody else's.
        events = now.events[: now.events.index(ended) + 1] if ended else now.events
        cause = self.cause or next((event for event in events if event.is_cause), None)
        of_group = cause is not None and cause.resource_type == _GROUP
        fleet = Fleet.of(now) if self.fleet and not ended else None
        news: tuple[object, ...] = events
        if fleet and fleet != self.seen:
            news = (*events, fleet)
        left = (*self.left, *(one for one in events if one.status == "DELETE_FAILED"))
        if ended and ended.status in _CLEANED_UP:
            news = (*news, *map(_left_behind, left))
        return (
            replace(
                self,
                fleet=_fleet(self.fleet, events),
                seen=fleet or self.seen,
                after=events[-1].id if events else self.after,
                cause=cause,
                left=left,
                stopped=self.stopped or any(one.is_cancellation for one in events),
                ended=ended,
                group=cause.physical_id if cause and of_group and ended else "",
            ),
            news,
        )

    @property
    def _why(self) -> str:
        assert self.cause is not None
        wrapped = _ENVELOPE.fullmatch(self.cause.reason)
        sentence = wrapped[1] if wrapped else self.cause.reason
        return f"{sentence}: {self.refusal}" if self.refusal else sentence


@dataclass(frozen=True, slots=True)
class RollBegun:
    """Yielded when the operation begins to roll tasks."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many instances of a group were launched and have joined. `refusal` is EC2's, or ''."""

    desired: int
    launched: int
    joined: int
    refusal: str = ""

    @classmethod
    def of(cls, now: Snapshot) -> Self | None:
        group = now.group
        if group is None:
            return None
        known = {one.id for one in now.instances if one.takes_tasks}
        joined = sum(one.id in known for one in group.instances)
        # Of a group that is complete, an earlier launch failed.
        refusal = group.refusal if len(group.instances) < group.desired else ""
        return cls(group.desired, len(group.instances), joined, refusal)

    @property
    def text(self) -> str:
        words = f"{self.launched} of {self.desired} instances launched, {self.joined} joined"
        return f"{words}: {self.refusal}" if self.refusal else words


def _left_behind(event: StackEvent) -> Notice:
    return Notice(
        f"{event.logical_id}: `{event.physical_id}` could not be deleted and is left behind, in no "
        f"stack any more ({event.reason}); remove it yourself",
        warning=True,
    )


def _fleet(fleet: str, events: Iterable[StackEvent]) -> str:
    """Return the group's name while its own creation or update runs, else ''."""
    for event in events:
        if event.resource_type == _GROUP:
            going = event.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
            fleet = event.physical_id if going else ""
    return fleet


@dataclass(frozen=True, slots=True)
class Removal:
    """What a deletion removes or skips. `why` says what led to it, if nobody asked for it.

    `stays` holds the logical ids of resources that outlive the stack, `snapshots` of those that are
    saved first.
    """

    stack: str
    resources: tuple[StackResource, ...]
    why: str = ""
    stays: frozenset[str] = frozenset()
    snapshots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StackResult:
    """The last item of every procedure that changes a stack, even if nothing had to change."""

    stack: str
    outcome: Outcome
