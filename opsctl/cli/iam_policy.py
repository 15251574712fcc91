"""`opsctl iam-policy`: print the least-privilege policy."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from opsctl import disk
from opsctl.cli.options import group, opened
from opsctl.permissions import policy

app = group("Print the least IAM policy of an operator, a pipeline or a reader.")


class For(StrEnum):
    OPERATOR = "operator"
    DEPLOY = "deploy"
    READ = "read"
    CLOUDFORMATION = "cloudformation"


@app.command()
def iam_policy(
    context: typer.Context,
    audience: Annotated[
        For,
        typer.Option("--for", help="For everything, releases, reading, or the stacks' role."),
    ] = For.OPERATOR,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write it into this folder, in files for IAM."),
    ] = None,
) -> None:
    """Print the policy of this config's system, made from the calls that opsctl makes.

    It holds what CloudFormation does with the caller's rights, unless the config names
    `aws.cloudformation_role`.
    """
    invocation, console = opened(context), opened(context).console
    document = policy.policy(invocation.config, audience.value)
    parts = policy.parts(document)
    console.emit("iam_policy", audience=audience.value, policy=document, parts=parts)
    if out is None:
        if not console.json:
            console.data(json.dumps(document, indent=2))
        if len(parts) > 1:
            console.say(
                f"this has {policy.size(document):,} characters, and a managed policy takes "
                f"{policy.LONGEST:,}: --out DIR writes it in {len(parts)} parts"
            )
        return
    for number, part in enumerate(parts, 1):
        name = f"{audience}-{number}.json" if len(parts) > 1 else f"{audience}.json"
        disk.write(out / name, json.dumps(part, indent=2) + "\n", folders=True)
        console.say(f"wrote {out / name}")
