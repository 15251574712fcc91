"""Join lines that belong together although each is its own event: tracebacks. Pure.

A container's output comes as one event per line, with lines of other streams in between.
"""

from collections.abc import Sequence

from opsctl.logs.events import LogEvent

_APART = 1000  # milliseconds within which a line may continue the previous one of its stream
_TRACEBACK = "Traceback (most recent call last)"
_GOING_ON = ("Caused by:", "Suppressed:", "During handling of the above", "The above exception was")
Block = list[LogEvent]


def joined(events: Sequence[LogEvent]) -> list[Block]:
    """Return the events in blocks, each a line and the lines that continue it."""
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
    """Return whether joining could change anything; for most batches it cannot."""
    return any([event[5][:1] in " \t" or _TRACEBACK in event[5] for event in events])


def whole(block: Block) -> LogEvent:
    """Return the block as one event."""
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
    # The line after the frames is the exception itself.
    in_frames = last.message[:1] in (" ", "\t")
    return in_frames and any(one.message.startswith(_TRACEBACK) for one in block)
