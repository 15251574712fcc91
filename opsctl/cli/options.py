"""What every command shares: the global options, the opened config and the AWS clients."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from opsctl.cli.screens.console import Console
from opsctl.errors import AwsError, ConfigError

if TYPE_CHECKING:
    from opsctl.aws import Clients
    from opsctl.config.load import Loaded
    from opsctl.config.model import Config

_FLAGS = {"--json": "json", "--plain": "plain", "--debug": "debug"}
_VALUES = {"--config": "config", "-c": "config", "--env": "env", "-e": "env"}
_SET = "--set"

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Since = Annotated[str, typer.Option("--since", help="How far back: 10m, 2h, 2026-11-23T10:00.")]


class Invocation:
    """One command line: the global options, and what they open when first needed."""

    def __init__(
        self,
        *,
        path: Path,
        environment: str | None,
        environ: Mapping[str, str],
        overrides: Sequence[str] = (),
        json: bool = False,
        plain: bool = False,
        debug: bool = False,
    ) -> None:
        self.path = path
        self.environment = environment
        self.environ = environ
        self.overrides = tuple(overrides)
        self.debug = debug
        self.console = Console(json=json, plain=plain or "NO_COLOR" in environ)

    @classmethod
    def parse(cls, argv: Sequence[str], environ: Mapping[str, str]) -> tuple[Self, list[str]]:
        """Take the global options out of `argv`, wherever they stand before a `--`."""
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
                values[_VALUES[name]] = value if equals else _following(words, name)
            else:
                rest.append(word)
        invocation = cls(
            path=Path(values.get("config") or environ.get("OPSCTL_CONFIG") or "opsctl.yaml"),
            environment=values.get("env") or environ.get("OPSCTL_ENV") or None,
            environ=environ,
            overrides=overrides,
            **flags,
        )
        return invocation, rest

    @cached_property
    def loaded(self) -> "Loaded":
        from opsctl.config import load

        return load.load(
            self.path,
            environment=self.environment,
            environ=self.environ,
            overrides=self.overrides,
        )

    @property
    def config(self) -> "Config":
        return self.loaded.config

    def warn(self) -> None:
        """Say what the config allows but may not mean: before a plan, not at every command."""
        for warning in self.loaded.warnings:
            self.console.warn(warning)

    @cached_property
    def clients(self) -> "Clients":
        from opsctl import aws

        return aws.connect(self.config.aws, debug=self.console.debug if self.debug else None)

    def checked_clients(self) -> "Clients":
        """The clients, once the caller's account is known to be the config's: before changes."""
        expected = self.config.aws.account
        if expected is not None:
            found = self.clients.sts.get_caller_identity()["Account"]
            if found != expected:
                raise AwsError(
                    f"these credentials belong to account {found}, "
                    f"but `aws.account` in {self.path} is {expected}",
                    hint="choose the right credentials, for instance with AWS_PROFILE",
                )
        return self.clients


def _following(words: Iterator[str], name: str) -> str:
    value = next(words, None)
    if value is None:
        raise ConfigError(f"`{name}` needs a value", hint="opsctl --help")
    return value


def opened(context: typer.Context) -> Invocation:
    """The invocation that `main` handed to typer."""
    invocation = context.obj
    assert isinstance(invocation, Invocation)
    return invocation


def group(about: str) -> typer.Typer:
    """A command group in our manner: plain help, no tracebacks dressed up, no second completion."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        epilog="Global options may stand anywhere: opsctl --help",
    )
