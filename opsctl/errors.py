"""Every expected failure, its exit code and its hint. Anything else that escapes is a bug.

OpsError            1   failed
|- ConfigError      2   usage or config; carries every finding, not the first
|- TemplateError    2   a template or the Caddyfile_template does not fit the config
|- AwsError         3   AWS refused: credentials, permission, quota (made in `aws` only)
|- DockerError      1   the engine, a build or a registry refused (made in `docker` only)
|- StackFailed      1
|- Busy             1   somebody else began to change the stack; the commands join that
|- RolledBack       5
|- TimedOut         4   still running
|- Superseded       6
`- Detached         7   left running, or cancelled, on request
"""

from collections.abc import Iterable, Sequence


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return the known word that a typo probably meant, or "" when none is near."""
    import difflib  # imported here, because most commands have no typo to correct

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")


class OpsError(Exception):
    """One sentence for the user and the exact next command.

    `cause` is a cause id of docs/explain.md, when the class alone does not tell.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, cause: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.cause = cause


class ConfigError(OpsError):
    """`findings` are complete sentences, each with `FILE:LINE:COLUMN` where it is known."""

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        cause: str = "",
        findings: Sequence[str] = (),
    ) -> None:
        super().__init__(message, hint=hint, cause=cause)
        self.findings = tuple(findings)


class TemplateError(OpsError):
    exit_code = 2


class AwsError(OpsError):
    """`operation` is the API's own name (`DescribeStacks`), `code` its error code or ''."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        cause: str = "",
        operation: str = "",
        code: str = "",
    ) -> None:
        super().__init__(message, hint=hint, cause=cause)
        self.operation = operation
        self.code = code


class DockerError(OpsError):
    """`message` should contain the last lines of the engine's own output."""


class StackFailed(OpsError):
    pass


class Busy(OpsError):
    pass


class RolledBack(OpsError):
    exit_code = 5


class TimedOut(OpsError):
    exit_code = 4


class Superseded(OpsError):
    exit_code = 6


class Detached(OpsError):
    exit_code = 7
