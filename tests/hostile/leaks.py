"""Where a secret could come to lie, searched for the canaries: files, AWS, started processes."""

import gzip
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.conftest import CANARIES
from tests.hostile.life import KINDS, World

_OWN = ".secrets.yml"  # the one file where a value belongs
_STARTED: list[str] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen":
        # Its command line, which every user of a machine may read; not its environment.
        _STARTED.append(str(arguments[:2]))


sys.addaudithook(_hear)


def leaked(world: World) -> list[str]:
    """Each place that holds a canary, and which one."""
    places = [*_files(world.folder), *_aws(world), *(("process", line) for line in _STARTED)]
    return [
        f"the canary of the {name} is in {place}"
        for place, text in places
        for name, value in CANARIES.items()
        if value in text
    ]


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.name == _OWN or not path.is_file():
            continue
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path.name}: {name}", archive.read(name).decode("latin-1")
            continue
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        yield str(path.relative_to(folder)), data.decode("latin-1")


def _aws(world: World) -> Iterator[tuple[str, str]]:
    cloudformation, ssm, ecs = world.aws("cloudformation"), world.aws("ssm"), world.aws("ecs")
    for kind in set(world.stacks()) & set(KINDS):
        name = f"{world.name}-{kind}"
        for said in (
            cloudformation.describe_stacks(StackName=name),
            cloudformation.get_template(StackName=name),
            cloudformation.describe_stack_events(StackName=name),
            cloudformation.list_change_sets(StackName=name),
        ):
            yield f"stack {name}", _text(said)
    # The ledger and the locks.
    pages = ssm.get_paginator("get_parameters_by_path").paginate(
        Path=f"/opsctl/{world.name}", Recursive=True, WithDecryption=True
    )
    yield "SSM", _text(list(pages))
    for arn in ecs.list_task_definitions(familyPrefix=world.name)["taskDefinitionArns"]:
        yield arn, _text(ecs.describe_task_definition(taskDefinition=arn))


def _text(said: object) -> str:
    return json.dumps(said, default=str)
