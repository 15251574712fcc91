"""What all commands share: the global options, the opened config and the AWS clients."""

import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from opsctl.cli.screens.console import Console
from opsctl.errors import ConfigError

if TYPE_CHECKING:
    from opsctl.aws import Clients, FailedCall
    from opsctl.cli.screens.pipeline import Pipeline
    from opsctl.config.load import Loaded
    from opsctl.config.model import Config
    from opsctl.recorder import Recorder
    from opsctl.snapshot.read import Reader

_FLAGS = {"--json": "json", "--plain": "plain", "--no-color": "plain", "--debug": "debug"}
_VALUES = {"--config": "config", "-c": "config", "--env": "env", "-e": "env", "--why": "why"}
_SET = "--set"
_SOON = 10.0  # seconds that a part of `status` or `why` may take to be answered
_SECRETS = re.compile(r"(?:^|\.)(?:secrets(?:\.values(?:\..+)?)?|ecs\.secrets(?:\..+)?|password)$")
_REFERENCES = ("ssm:", "secretsmanager:", "env:")

RevertDrift = Annotated[
    bool, typer.Option("--revert-drift", help="Revert what was changed outside of the stack.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Confirm = Annotated[
    list[str] | None,
    typer.Option("--confirm", metavar="NAME", help="Confirms, by its name, what loses its data."),
]
Since = Annotated[
    str, typer.Option("--since", metavar="WHEN", help="How far back: 10m, 2h, 2026-11-23T10:00.")
]


class Invocation:
    """One command line: the global options, and what they open when first needed."""

    def __init__(
        self,
        *,
        path: Path,
        environment: str | None,
        environ: Mapping[str, str],
        overrides: Sequence[str] = (),
        why: str = "",
        json: bool = False,
        plain: bool = False,
        debug: bool = False,
    ) -> None:
        self.path = path
        self.environment = environment
        self.environ = environ
        self.overrides = tuple(overrides)
        self.why = why
        self.debug = debug
        self.sleep: Callable[[float], None] = time.sleep
        self.clock: Callable[[], float] = time.monotonic
        # The command line without global options, and its recorder while it runs.
        self.words: Sequence[str] = ()
        self.recorder: Recorder | None = None
        # Whether exit code 2 means that something would change, not that the config is invalid.
        self.planning = False
        plain = plain or "NO_COLOR" in environ or environ.get("TERM") == "dumb"
        self.console = Console(
            json=json, plain=plain, options=self._repeated(), pipeline=_pipeline(environ)
        )

    @classmethod
    def parse(cls, argv: Sequence[str], environ: Mapping[str, str]) -> tuple[Self, list[str]]:
        """Take the global options out of `argv`, wherever they are before a `--`."""
        flags: dict[str, bool] = {}
        values: dict[str, str] = {}
        overrides: list[str] = []
        rest: list[str] = []
        words = iter(argv)
        for word in words:
            name, equals, value = word.partition("=")
            if word == "--":
                rest += [word, *words]
            elif word in _FLAGS:
                flags[_FLAGS[word]] = True
            elif name == _SET:
                overrides.append(value if equals else _following(words, name))
            elif name in _VALUES:
                said = value if equals else _following(words, name)
                if values.setdefault(_VALUES[name], said) != said:
                    raise ConfigError(
                        f"{name} names two different things: `{values[_VALUES[name]]}`, `{said}`",
                        hint="leave one of them out",
                    )
            else:
                rest.append(word)
        invocation = cls(
            path=Path(values.get("config") or environ.get("OPSCTL_CONFIG") or "opsctl.yaml"),
            environment=values.get("env") or environ.get("OPSCTL_ENV") or None,
            environ=environ,
            overrides=overrides,
            why=values.get("why", ""),
            **flags,
        )
        return invocation, rest

    @property
    def line(self) -> str:
        """The command line, so that it can be repeated."""
        return shlex.join(["opsctl", *self._repeated(), *self.words])

    def _repeated(self) -> list[str]:
        """Return the global options that a command in a hint needs to mean this system."""
        words: list[str] = []
        if self.environment:
            words += ["--env", self.environment]
        if self.path != Path("opsctl.yaml"):
            words += ["--config", str(self.path)]
        for override in self.overrides:
            if not _is_secret(override):
                words += ["--set", override]
        return words

    @cached_property
    def loaded(self) -> "Loaded":
        from opsctl.config import load

        loaded = load.load(
            self.path,
            environment=self.environment,
            environ=self.environ,
            overrides=self.overrides,
        )
        account = loaded.config.aws
        named = {"--profile": account.profile, "--region": account.region}
        self.console.account = shlex.join(
            word for option, value in named.items() if value for word in (option, value)
        )
        return loaded

    @property
    def config(self) -> "Config":
        return self.loaded.config

    def warn(self) -> None:
        """Print the config's warnings. Called before a plan, not by every command."""
        for warning in self.loaded.warnings:
            self.console.warn(warning)

    @cached_property
    def clients(self) -> "Clients":
        from opsctl import aws
        from opsctl.cli import process

        clients = aws.connect(
            self.config.aws,
            caller=process.caller(self.why),
            patience=aws.Patience(tell=self._tell_silence),
            debug=self.console.debug if self.debug else None,
        )
        clients.failed.first = self._record_failing
        return clients

    @cached_property
    def reader(self) -> "Reader":
        from opsctl.snapshot.read import Reader
        from opsctl.snapshot.snapshot import Names

        return Reader(self.clients, Names.of(self.config))

    @cached_property
    def quick_reader(self) -> "Reader":
        """A reader that does not wait: the snapshot names the parts that did not answer."""
        from opsctl import aws
        from opsctl.snapshot.read import Reader
        from opsctl.snapshot.snapshot import Names

        clients = aws.connect(
            self.config.aws,
            patience=aws.Patience(0),
            read_timeout=_SOON,
            debug=self.console.debug if self.debug else None,
        )
        return Reader(clients, Names.of(self.config), patient=False)

    def failed_calls(self) -> "tuple[FailedCall, ...]":
        """Return the calls that failed since the last snapshot; none when AWS was never called."""
        return self.clients.failed.take() if "clients" in self.__dict__ else ()

    def _record_failing(self, call: "FailedCall") -> None:
        if self.recorder is not None:
            self.recorder.failing(call)

    def _tell_silence(self, error: BaseException) -> None:
        from opsctl import aws

        translated = aws.translate(error)
        reason = translated.message if translated else str(error)
        self.console.warn(
            f"AWS does not answer ({reason.removeprefix('no answer from AWS: ')}); "
            f"what runs there continues; retrying for up to {aws.OUTAGE / 60:.0f} minutes"
        )


def _is_secret(override: str) -> bool:
    """Return whether the override holds a value instead of a reference. It must not be repeated."""
    from opsctl.snapshot.redact import redact  # here, because most command lines have no `--set`

    key, _, value = override.partition("=")
    secret = _SECRETS.search(key) or redact(override) != override
    return bool(secret) and not value.strip("'\" ").startswith(_REFERENCES)


def _pipeline(environ: Mapping[str, str]) -> "Pipeline | None":
    if not {"GITHUB_ACTIONS", "GITLAB_CI"} & environ.keys():
        return None
    from opsctl.cli.screens import pipeline

    return pipeline.of(environ)


def _following(words: Iterator[str], name: str) -> str:
    value = next(words, None)
    if value is None:
        raise ConfigError(f"`{name}` needs a value", hint="opsctl --help")
    return value


def opened(context: typer.Context) -> Invocation:
    """Return the invocation that `main` gave to typer. Raises ConfigError for both sides of a flag
    (`--follow --no-follow`), of which typer would take the last.
    """
    invocation = context.obj
    assert isinstance(invocation, Invocation)
    for parameter in context.command.params:
        sides = [*parameter.opts, *parameter.secondary_opts]
        if parameter.secondary_opts:
            require_one({side: side in invocation.words for side in sides})
    return invocation


def plan_only(context: typer.Context) -> Invocation:
    """Return the invocation of a command that only plans: its exit code 2 means "different"."""
    invocation = opened(context)
    invocation.planning = True
    return invocation


def _planning(context: typer.Context, value: bool) -> bool:
    if value:
        plan_only(context)
    return value


DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show what would be done; change nothing.",
        callback=_planning,
        is_eager=True,
    ),
]


def group(about: str) -> typer.Typer:
    """Return a command group in our style: plain help, plain tracebacks, no second completion."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        epilog="Global options may stand anywhere: opsctl --help",
    )


def require_one(shows: Mapping[str, object]) -> None:
    """Raise ConfigError for two options that each show something else."""
    given = [option for option, value in shows.items() if value]
    if len(given) > 1:
        raise ConfigError(
            f"{given[0]} does not go together with {given[1]}", hint="leave one of them out"
        )


def require_partner(
    context: typer.Context, parameter: str, option: str, partner: str, given: object
) -> None:
    """Raise ConfigError for an option that does nothing, because its partner is not given."""
    if not given and is_given(context, parameter):
        raise ConfigError(
            f"{option} does nothing without {partner}", hint=f"add {partner}, or leave out {option}"
        )


def is_given(context: typer.Context, parameter: str) -> bool:
    """Whether the command line has this option, even with its default."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"
