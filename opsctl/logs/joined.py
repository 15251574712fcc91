"""Lines that belong together although each is an event of its own: tracebacks. Pure.

A container's output comes as one event a line, and lines of other streams come in between.
"""

from collections.abc import Sequence

from opsctl.logs.events import LogEvent

_APART = 1000  # milliseconds within which a line may go on what its stream said
_TRACEBACK = "Traceback (most recent call last)"
_GOING_ON = ("Caused by:", "Suppressed:", "During handling of the above", "The above exception was")
Block = list[LogEvent]


def joined(events: Sequence[LogEvent]) -> list[Block]:
    """The events in blocks, each of a line and of those that go on with it."""
    blocks: list[Block] = []
    newest: dict[tuple[str, str], Block] = {}
    for event in events:
        key = (event.source, event.stream)
        block = newest.get(key)
        if block is not None and _goes_on(event, block):
            block.append(event)
        else:
            newest[key] = block = [event]
            blocks.append(block)
    return blocks


def any_goes_on(events: Sequence[LogEvent]) -> bool:
    """Whether joining them could change anything: most batches hold no such line."""
    return any([event[5][:1] in " \t" or _TRACEBACK in event[5] for event in events])


def whole(block: Block) -> LogEvent:
    """The block as one event."""
    if len(block) == 1:
        return block[0]
    return block[0]._replace(message="\n".join([event.message for event in block]))


def _goes_on(event: LogEvent, block: Block) -> bool:
    last, text = block[-1], event.message
    if event.timestamp - last.timestamp > _APART or not text:
        return False
    if text[0] in " \t" or text.startswith(_GOING_ON):
        return True
    if text.startswith(_TRACEBACK):
        return True
    # The line behind the frames is the exception itself.
    in_frames = last.message[:1] in (" ", "\t")
    return in_frames and any(one.message.startswith(_TRACEBACK) for one in block)
