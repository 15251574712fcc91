"""Plan a change of a stack, and begin it. Nothing live changes before `begin`."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from opsctl import aws
from opsctl.errors import OpsError, TimedOut
from opsctl.snapshot import stacks
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import changes, join, names, refused
from opsctl.stacks.bucket import upload
from opsctl.stacks.changes import Plan
from opsctl.stacks.definition import Stack
from opsctl.stacks.operation import Operation

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

    from opsctl.aws import Clients

# Longest template body in a call, in bytes; a template in S3 may have 1 MB.
MAXIMUM_BODY = 51_200
CHANGE_SETS = "opsctl-"  # prefix of our change sets' names
_DEADLINE = 300.0  # seconds to wait for a change set
# Two wordings exist; the second comes from CreateChangeSet itself.
_NOTHING = ("didn't contain changes", "No updates are to be performed")


class Planning:
    """A plan while it is shown and agreed to. Deletes its change set at the end, unless begun.

    Entering raises OpsError when CloudFormation refuses the template, and Busy when somebody else
    has begun to change the stack since `state` was read.
    """

    plan: Plan

    def __init__(
        self,
        clients: "Clients",
        stack: Stack,
        state: StackState | None,
        *,
        bucket: str | None,
        sleep: Callable[[float], None],
    ) -> None:
        self._clients = clients
        self._stack = _keeping(stack, state)
        self._kind: Literal["CREATE", "UPDATE"] = "UPDATE" if state and state.exists else "CREATE"
        self._bucket = bucket
        self._sleep = sleep
        self._change_set = ""

    def __enter__(self) -> Self:
        if self._kind == "CREATE":
            self.plan = Plan(
                self._stack,
                "CREATE",
                changes.of_template(self._stack.template, self._stack.imports),
            )
            return self
        try:
            with join.busy(self._stack.name):
                self.plan = self._planned()
        except BaseException as error:
            self.__exit__(type(error), error)
            raise
        return self

    def __exit__(self, kind: object = None, error: BaseException | None = None, *_: object) -> None:
        if self._change_set:
            _discard(self._clients, self._stack.name, self._change_set, error)

    def begin(self) -> Operation:
        """Execute the plan that was agreed to. Raises Busy when somebody else was faster."""
        cloudformation = self._clients.cloudformation
        with join.busy(self._stack.name):
            plan = self._planned() if self._kind == "CREATE" else self.plan
            after = stacks.newest_event(cloudformation, plan.stack_id)
            _execute(cloudformation, plan)
        self._change_set = ""
        return Operation(self._stack.name, plan.stack_id, f"{self._kind}_COMPLETE", after)

    def _planned(self) -> Plan:
        """Have CloudFormation make a change set, and read it."""
        cloudformation, stack = self._clients.cloudformation, self._stack
        body = _body(self._clients, stack, self._bucket)
        if stack.reverts_drift and self._kind == "UPDATE":
            body["DeploymentMode"] = "REVERT_DRIFT"
        self._change_set = token = f"{CHANGE_SETS}{uuid.uuid4().hex}"
        try:
            created = cloudformation.create_change_set(
                StackName=stack.name,
                ChangeSetName=self._change_set,
                ChangeSetType=self._kind,
                ClientToken=token,
                Capabilities=list(stack.capabilities),
                Parameters=_parameters(stack.parameters),
                Tags=[{"Key": key, "Value": value} for key, value in stack.tags.items()],
                ImportExistingResources=bool(stack.imports),
                **body,
            )
        except cloudformation.exceptions.ClientError as error:
            if aws.fault(error) == "refused":
                self._change_set = ""  # it was not created
            if any(words in aws.message(error) for words in _NOTHING):
                return Plan(stack, self._kind)
            raise
        return _read(cloudformation, stack, self._kind, created["Id"], self._sleep)


def _discard(clients: "Clients", stack: str, name: str, because: BaseException | None) -> None:
    """Delete a change set. Raises OpsError, which names what stays, when AWS refuses.

    The stack that it may have created (REVIEW_IN_PROGRESS) stays: it may be somebody else's by now,
    and no call can delete it on condition that it is not.
    """
    try:
        with clients.briefly():
            clients.cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
    except Exception as error:
        gone = ("ChangeSetNotFound", "ChangeSetNotFoundException", "InvalidChangeSetStatus")
        if stacks.missing(error) or aws.code(error) in gone:
            return
        refusal = aws.translate(error)
        if refusal is None:
            raise
        first = aws.translate(because) if isinstance(because, Exception) else None
        left = OpsError(
            f"{f'{first.message}; ' if first else ''}the change set `{name}` is left behind in "
            f"`{stack}` ({refusal.message}); it changes nothing, and goes with the next change",
            hint=first.hint if first else refusal.hint,
        )
        left.exit_code = first.exit_code if first else left.exit_code
        raise left from error


def _execute(cloudformation: "CloudFormationClient", plan: Plan) -> None:
    """Execute the plan's change set.

    Raises Busy if it is gone: executing one deletes all others.
    """
    token = f"{CHANGE_SETS}{uuid.uuid4().hex}"
    try:
        cloudformation.execute_change_set(ChangeSetName=plan.change_set, ClientRequestToken=token)
    except (
        cloudformation.exceptions.InvalidChangeSetStatusException,
        cloudformation.exceptions.ChangeSetNotFoundException,
    ) as error:
        # The call may have been repeated after its first answer was lost.
        ours = stacks.events(cloudformation, plan.stack_id, None)
        if not any(event.token == token for event in ours):
            raise join.overtaken(plan.stack.name) from error


def _keeping(stack: Stack, state: StackState | None) -> Stack:
    """Replace None by an empty value for parameters that the stack does not have yet."""
    known = state.parameters if state else {}
    parameters = {
        key: None if value is None and key in known else (value or "")
        for key, value in stack.parameters.items()
    }
    return replace(stack, parameters=parameters)


def _read(
    cloudformation: "CloudFormationClient",
    stack: Stack,
    kind: Literal["CREATE", "UPDATE"],
    id: str,
    sleep: Callable[[float], None],
) -> Plan:
    described: Any = _wait(cloudformation, id, sleep)
    reason = described.get("StatusReason", "")
    if stack.reverts_drift and kind == "UPDATE" and "DeploymentMode" not in described:
        # An endpoint ignores parameters that it does not know: this is an ordinary change set.
        raise OpsError(
            f"CloudFormation compared `{stack.name}` with nothing that is there: this Region or "
            "endpoint does not know drift-aware change sets",
            hint=f"restore by hand what was changed, then run: opsctl {stack.command} plan",
        )
    if described["Status"] == "FAILED":
        if any(words in reason for words in _NOTHING):
            return Plan(stack, kind)
        raise refused.refusal(cloudformation, stack, id, reason)
    listed, page = list(described.get("Changes", ())), described
    while "NextToken" in page:
        page = cloudformation.describe_change_set(
            ChangeSetName=id, NextToken=page["NextToken"], IncludePropertyValues=True
        )
        listed += page.get("Changes", ())
    if not listed and stack.reverts_drift:
        return Plan(stack, kind)
    plan = Plan(stack, kind, changes.read(listed), id, described["StackId"])
    names.require_possible(plan)
    _require_imports(plan)
    return plan


def _require_imports(plan: Plan) -> None:
    """Raise OpsError if the endpoint ignored the wish to take over what exists."""
    made = {one.logical_id for one in plan.changes if one.action == "Add"}
    if ignored := sorted(made & plan.stack.imports):
        raise OpsError(
            f"CloudFormation would make {', '.join(ignored)} anew, and not take over what exists: "
            "this Region or endpoint does not know imports in a change set",
            hint="choose other names in opsctl.yaml, or remove what exists yourself",
            cause="name-exists",
        )


def _wait(
    cloudformation: "CloudFormationClient", id: str, sleep: Callable[[float], None]
) -> dict[str, Any]:
    waited, pause = 0.0, 0.1
    while waited < _DEADLINE:
        described = cloudformation.describe_change_set(ChangeSetName=id, IncludePropertyValues=True)
        if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return dict(described)
        sleep(pause)
        waited += pause
        pause = min(pause * 1.2, 1.0)
    raise TimedOut(f"the change set {id} is still being made", hint="run the same command again")


def _parameters(parameters: Mapping[str, str | None]) -> list[Any]:
    """Return the API's parameters. None becomes UsePreviousValue."""
    return [
        {"ParameterKey": key, "UsePreviousValue": True}
        if value is None
        else {"ParameterKey": key, "ParameterValue": value}
        for key, value in parameters.items()
    ]


def _body(clients: "Clients", stack: Stack, bucket: str | None) -> dict[str, Any]:
    if not stack.template:
        return {"UsePreviousTemplate": True}
    body = stack.template.encode()
    if len(body) <= MAXIMUM_BODY:
        return {"TemplateBody": stack.template}
    return {"TemplateURL": upload(clients, bucket, stack.name, body)}
