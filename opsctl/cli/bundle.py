"""An incident as one value: a recording, the live system, metrics. Collect, save, read."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl import disk
from opsctl.cause.cause import Cause
from opsctl.cause.history import History
from opsctl.cli import looking
from opsctl.cli import recording as recordings
from opsctl.errors import ConfigError
from opsctl.recording import Begun, RecordedSeries, Recording
from opsctl.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from opsctl.cli.options import Invocation

_BEFORE = timedelta(hours=1)  # metrics from before the command, for comparison


@dataclass(frozen=True, slots=True)
class Incident:
    """What `why` explains. `looks` at the live system are none if it was read from a file."""

    history: History
    recording: Recording | None
    at: datetime
    looks: tuple[Snapshot, ...] = ()
    series: tuple[RecordedSeries, ...] = ()

    @property
    def now(self) -> Snapshot | None:
        return self.looks[-1] if self.looks else None


def collect(invocation: "Invocation", *, metrics: bool) -> Incident:
    """Collect the live system and its newest recording. Does not wait for AWS to recover."""
    from opsctl.cause.looks import EVERYTHING
    from opsctl.snapshot.snapshot import Look

    try:
        config = invocation.config
    except ConfigError as error:
        return _refused(error)
    look = EVERYTHING | Look(frozenset({"subnets"})) if metrics else EVERYTHING
    recording = recordings.newest(recordings.folder(invocation), config.system)
    if recording is not None:
        # EC2 may publish a console minutes after the command has ended, and keeps it for an hour.
        look = replace(look, consoles=recording.history.never_joined)
    looks = looking.until_told(lambda: invocation.quick_reader(look), invocation.sleep)
    history = recordings.with_looks(recording, looks)
    incident = Incident(history, recording, looks[-1].at, looks)
    return replace(incident, series=_metrics(invocation, incident)) if metrics else incident


def read(path: Path) -> Incident:
    recording = recordings.read(path)
    at = recording.ended or recording.at
    return Incident(_history(recording), recording, at, series=recording.series)


def _history(recording: Recording) -> History:
    """Return the history as `collect` made it: a bundle ends with the system as it was then."""
    ended, snapshots = recording.ended, recording.snapshots
    later = tuple(one for one in snapshots if ended is not None and one.at > ended)
    if not later:
        return recording.history
    before = snapshots[: len(snapshots) - len(later)]
    return recordings.with_looks(replace(recording, snapshots=before), later)


def save(incident: Incident, path: Path) -> None:
    """Save one redacted file, readable by its owner only, which `why --from` can read anywhere."""
    from opsctl.recorder import line_of, snapshot_line

    recording, now = incident.recording, incident.now
    lines: list[str] = []
    if recording is not None and recording.path is not None:
        lines = recording.path.read_text("utf-8", errors="replace").splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            del lines[-1]  # cut off when the command was killed
    elif now is not None:
        begun = {**asdict(Begun("", now.names.system, now.names.environment, versions()))}
        lines.append(
            line_of(
                {"type": "recording", "v": 1, "at": now.at, **begun, "names": asdict(now.names)}
            )
        )
    lines += [snapshot_line(one) for one in incident.looks]
    if recording is None:
        lines += [line_of({"type": "failure", **asdict(one)}) for one in incident.history.failures]
    if recording is None or not recording.series:
        lines += [line_of({"type": "metric", **asdict(one)}) for one in incident.series]
    lines.append(line_of({"type": "versions", "text": versions()}))
    # Readable only for its owner: messages of other programs may contain private data.
    disk.write(path, "".join(lines), private=True)


def write_page(incident: Incident, causes: Sequence[Cause], path: Path) -> None:
    from opsctl.cli.screens import causes as causing
    from opsctl.cli.screens import incident_page
    from opsctl.timeline import moments

    names = incident.history.now.names
    words = [one for one in incident.history.command.split() if not one.startswith("-")]
    command = " ".join(words[:2] if words[:1] != ["update-tasks"] else words[:1])
    title = " · ".join(filter(None, (names.system, names.environment, command)))
    page = incident_page.page(
        title=title or "incident",
        at=incident.at,
        causes=causes,
        moments=moments(incident.history, incident.recording),
        series=incident.series,
        looked_at=causing.looked_at(incident.history),
        versions=versions(),
    )
    disk.write(path, page, private=True)


def versions() -> str:
    from importlib.metadata import PackageNotFoundError, version

    from opsctl.cli import version as own

    try:
        boto3 = version("boto3")
    except PackageNotFoundError:
        boto3 = "unknown"
    return f"opsctl {own()}, boto3 {boto3}, Python {platform.python_version()}"


def _refused(error: ConfigError) -> Incident:
    """Return an incident whose only cause is an invalid config; without it AWS cannot be read."""
    from opsctl.recorder import failure_of
    from opsctl.recording import NOBODY

    at = datetime.now(UTC)
    history = History.empty(NOBODY, at).met(failure_of(error, at))
    return Incident(history, None, at, (history.now,))


def _metrics(invocation: "Invocation", incident: Incident) -> tuple[RecordedSeries, ...]:
    """Return the metrics around the incident, as far as CloudWatch answers."""
    from opsctl import aws
    from opsctl.metrics import catalogue
    from opsctl.metrics.fetch import fetch
    from opsctl.metrics.series import window
    from opsctl.metrics.targets import targets

    now = incident.now
    assert now is not None
    began = incident.history.began or now.at
    queries = list(catalogue.queries(catalogue.chosen([]), targets(now, invocation.config)))
    over = window(min(began, now.at) - _BEFORE, now.at + timedelta(minutes=1))
    try:
        read = fetch(invocation.quick_reader.clients.cloudwatch, queries, over)
    except Exception as error:
        if aws.fault(error) is None:
            raise
        return ()
    return tuple(
        RecordedSeries(
            " ".join(filter(None, (one.query.metric.name, one.query.about))),
            one.query.metric.unit,
            over.start,
            over.period,
            tuple(one.points),
        )
        for one in read
        if any(point is not None for point in one.points)
    )
