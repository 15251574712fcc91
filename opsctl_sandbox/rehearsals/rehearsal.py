"""Rehearsals: a prepared failure, the real command that meets it, and what an operator sees.

Each is a data file in `scenarios/`. Playing one starts its own sandbox, brings the system to the
state named by `setup`, plans the failure, and runs `opsctl` as a process.
"""

import subprocess
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from opsctl_sandbox.errors import SandboxError, UsageError
from opsctl_sandbox.faults import in_the_simulation, on_the_wire
from opsctl_sandbox.process import lifecycle
from opsctl_sandbox.process.home import Home, Settings, Tasks
from opsctl_sandbox.rehearsals import why
from opsctl_sandbox.rehearsals.workspace import Object, Start, Workspace

FOLDER = Path(__file__).parent / "scenarios"
Setup = Literal["nothing", "db", "ecs", "released"]
_COMMANDS: Mapping[Setup, Sequence[Sequence[str]]] = {
    "nothing": (),
    "db": (("db", "up", "--yes"),),
    "ecs": (("db", "up", "--yes"), ("ecs", "up", "--yes")),
    "released": (
        ("db", "up", "--yes"),
        ("ecs", "up", "--yes"),
        ("update-tasks", "--yes", "--image", "IMAGE-1"),
    ),
}
_CONFIG: Mapping[str, Any] = {
    "name": "rehearsal",
    "network": {"vpc": "vpc-00000001", "subnets": ["subnet-00000001", "subnet-00000002"]},
    "compute": {"maximum": 3},
}
# Nobody watches the preparation, and a simulated task is ready as soon as it is due.
_PREPARING = 3000.0


@dataclass(frozen=True)
class Meanwhile:
    """What somebody else does: `opsctl`, or a `call` of the AWS service `aws`; or what AWS does, by
    a `page` of the sandbox.

    It happens at the line of the command's screen that contains `when`; without it, before the
    command, which starts once the other has printed `until`.
    """

    opsctl: Sequence[str] = ()
    aws: str = ""
    call: str = ""
    page: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    when: str = ""
    until: str = ""

    def __str__(self) -> str:
        if self.opsctl:
            return f"opsctl {' '.join(self.opsctl)}"
        return f"{self.aws}: {self.call}" if self.call else f"{self.page}: {dict(self.parameters)}"


@dataclass(frozen=True)
class Rehearsal:
    """A rehearsal. `command` may contain `IMAGE-1` and so on; `screen` is what the operator must
    read.

    `failures` go to the simulation, `faults` onto the wire, `config` over the minimal config;
    `then` runs after they were planned, whatever its exit code. `cause` is what is really wrong,
    which `opsctl why` must put first, or `none`. A missing `exit_code` or `cause` is not compared.
    With `--json` the command must print objects that contain the members in `json`.
    """

    name: str
    command: Sequence[str]
    file: Path
    tells: str = "a failure of your own"
    exit_code: int | None = None
    screen: Sequence[str] = ()
    json: Sequence[Mapping[str, Any]] = ()
    setup: Setup = "released"
    failures: Sequence[Object] = ()
    faults: Sequence[Object] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    then: Sequence[Sequence[str]] = ()
    meanwhile: Sequence[Meanwhile] = ()
    cause: str = ""
    tasks: Tasks = "none"
    speed: float = 120.0


@dataclass(frozen=True)
class RehearsalEvent:
    """A step, a line of the screen, an answer of `opsctl why`, or (last) the result.

    `otherwise` lists where the result differs from the file.
    """

    kind: Literal["step", "screen", "why", "result"]
    text: str = ""
    exit_code: int | None = None
    otherwise: Sequence[str] = ()
    data: Sequence[Object] = ()
    moment: str = ""
    causes: Sequence[str] = ()


def every() -> list[Rehearsal]:
    return [read(path) for path in sorted(FOLDER.glob("*.yaml"), key=lambda path: path.stem)]


def load(name: str) -> Rehearsal:
    """Load one of ours by its name, or any file by its path."""
    ours = FOLDER / f"{name}.yaml"
    if "/" not in name and ours.is_file():
        return read(ours)
    if Path(name).suffix in (".yaml", ".yml"):
        return read(Path(name))
    raise UsageError(f"unknown rehearsal `{name}`", hint="opsctl rehearse")


def read(path: Path) -> Rehearsal:
    """Read a file. Raises UsageError, which says what is wrong in it."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"`{path}` is not a file")  # a device may have no end, a pipe no writer
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not content.get("command"):
        raise UsageError(f"{path.name}: needs a `command`, for instance [update-tasks, --yes]")
    return _checked(content, path)


def _checked(content: dict[str, Any], path: Path) -> Rehearsal:
    unknown = set(content) - {one.name for one in fields(Rehearsal)} | {"file"} & set(content)
    try:
        _refuse(unknown)
        steps = [_step(step) for step in content.pop("meanwhile", ())]
        in_the_simulation.read(content.get("failures", ()))
        list(map(on_the_wire.Fault.read, content.get("faults", ())))
        one = Rehearsal(**{"name": path.stem, **content}, meanwhile=steps, file=path.absolute())
        if one.setup not in _COMMANDS:
            raise ValueError(f"`setup` is {', '.join(_COMMANDS)}, not `{one.setup}`")
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path.name}: {error}", hint="see docs/sandbox.md") from error
    return one


def _step(content: Object) -> Meanwhile:
    _refuse(set(content) - {one.name for one in fields(Meanwhile)})
    return Meanwhile(**content)


def _refuse(unknown: Collection[str]) -> None:
    if unknown:
        raise ValueError(f"unknown key {', '.join(sorted(unknown))}")


def run(
    rehearsal: Rehearsal,
    directory: Path,
    environ: Mapping[str, str],
    *,
    json: bool = False,
    start: Start = subprocess.Popen,
) -> Generator[RehearsalEvent]:
    """Play it in an empty directory. Raises SandboxError when the preparation itself fails.

    With `json` the screen is what goes to stderr, and the result has what went to stdout.
    """
    config = {**_CONFIG, **rehearsal.config}
    (directory / "opsctl.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    for name, text in rehearsal.files.items():
        (directory / name).write_text(text)
    home = Home(directory)
    settings = Settings(tasks=rehearsal.tasks, speed=rehearsal.speed)
    yield RehearsalEvent("step", f"a sandbox, {rehearsal.speed:g} times as fast as AWS")
    *_, started = lifecycle.up(home, settings, environ)
    assert started.sandbox is not None
    workspace = Workspace(
        started.sandbox,
        directory,
        environ,
        repository=str(config["name"]),
        images=rehearsal.images,
        start=start,
    )
    try:
        yield from _prepare(rehearsal, workspace)
        yield from _perform(rehearsal, workspace, json=json)
    finally:
        workspace.close()
        list(lifecycle.down(home))


def _prepare(rehearsal: Rehearsal, workspace: Workspace) -> Iterator[RehearsalEvent]:
    for words in _COMMANDS[rehearsal.setup]:
        # A real task needs its own time to start, however fast the clock runs.
        real = rehearsal.tasks != "none" and words[0] == "update-tasks"
        workspace.post("clock", {"speed": rehearsal.speed if real else _PREPARING})
        yield RehearsalEvent("step", f"opsctl {' '.join(words)}")
        command = workspace.opsctl(words)
        screen = list(command.screen())
        if code := command.end()[0]:
            raise SandboxError("\n".join([f"preparing: opsctl {words[0]} exited {code}", *screen]))
    yield RehearsalEvent("step", f"the failure: {rehearsal.tells}")
    workspace.post("failures", rehearsal.failures)
    workspace.post("faults", rehearsal.faults)
    for words in rehearsal.then:
        yield RehearsalEvent("step", f"opsctl {' '.join(words)}")
        list(workspace.opsctl(words).screen())
    workspace.post("clock", {"speed": rehearsal.speed})


def _perform(rehearsal: Rehearsal, workspace: Workspace, *, json: bool) -> Iterator[RehearsalEvent]:
    for step in rehearsal.meanwhile:
        if not step.when:
            yield from _meanwhile(step, workspace)
    waiting = [step for step in rehearsal.meanwhile if step.when]
    yield RehearsalEvent("step", f"opsctl {' '.join(rehearsal.command)}")
    earlier = why.recordings(workspace)
    command = workspace.opsctl(rehearsal.command, json=json)
    screen, answers = list[str](), list[why.Answer]()
    for line in command.screen():
        screen.append(line)
        yield RehearsalEvent("screen", line)
        if not answers and why.speaks_of_trouble(line, rehearsal.cause):
            answers.append(why.during(workspace))
            yield _answered(answers[-1])
        for step in [step for step in waiting if step.when in line]:
            waiting.remove(step)
            yield from _meanwhile(step, workspace)
    code, data = command.end()
    for answer in why.afterwards(workspace, earlier):
        answers.append(answer)
        yield _answered(answer)
    otherwise = [f"the screen never showed `{step.when}`" for step in waiting]
    otherwise += compare(rehearsal, code, "\n".join(screen), data if json else None)
    otherwise += why.differences(answers, rehearsal.cause)
    yield RehearsalEvent("result", exit_code=code, otherwise=otherwise, data=data)


def _answered(answer: why.Answer) -> RehearsalEvent:
    return RehearsalEvent("why", str(answer), moment=answer.moment, causes=answer.causes)


def _meanwhile(step: Meanwhile, workspace: Workspace) -> Iterator[RehearsalEvent]:
    yield RehearsalEvent("step", f"meanwhile, somebody else: {step}")
    if step.opsctl:
        workspace.other(step.opsctl, step.until)
    elif step.page:
        workspace.post(step.page, step.parameters)
    else:
        workspace.call(step.aws, step.call, step.parameters)


def compare(
    rehearsal: Rehearsal, exit_code: int, screen: str, data: Sequence[Object] | None
) -> list[str]:
    """Return how it differs from its file; `data` is None without `--json`."""
    differences = []
    if rehearsal.exit_code not in (None, exit_code):
        differences.append(f"the exit code is {exit_code} and not {rehearsal.exit_code}")
    differences += [
        f"the screen does not show `{item}`" for item in rehearsal.screen if item not in screen
    ]
    if "Traceback" in screen:
        differences.append("there is a traceback")
    if data is None:
        return differences
    differences += [
        f"no JSON object has {item}" for item in rehearsal.json if not _holds(data, item)
    ]
    errors = [item["exit_code"] for item in data if item["type"] == "error"]
    if errors != [exit_code] * bool(exit_code):
        differences.append(
            f"the JSON has exit codes {errors}, but the command ended with {exit_code}"
        )
    return differences


def _holds(data: Sequence[Object], members: Object) -> bool:
    return any(members.items() <= item.items() for item in data)
