"""A CloudFormation in memory, as far as planning and changing need it, with AWS's own manners.

Sources: the API reference of CreateChangeSet, ExecuteChangeSet ("deletes all other change sets")
and DeleteStack, and the error texts cited in docs/aws-facts.md.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.opsctl.snapshots import START
from tests.opsctl.ssm import Ssm, Writer


def refusal(operation: str, code: str, message: str = "no") -> ClientError:
    metadata: Any = {"HTTPStatusCode": 400}
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(response, operation)


class InvalidStatus(ClientError):
    pass


class NotFound(ClientError):
    pass


class CloudFormation:
    """`changes` is what each change set would do; `fails` are errors by operation, raised once.

    `before` is called with the name of each operation, for what somebody else does meanwhile.
    """

    exceptions = SimpleNamespace(
        ClientError=ClientError,
        InvalidChangeSetStatusException=InvalidStatus,
        ChangeSetNotFoundException=NotFound,
    )

    def __init__(self, *, changes: tuple[str, ...] = ("Topic",)) -> None:
        self.changes = changes
        self.reason = ""
        self.status = "CREATE_COMPLETE"
        self.template = "Resources: {}"
        self.validations: list[dict[str, str]] = []
        self.details: dict[str, Any] = {}
        self.knows_drift = True
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.executed: list[str] = []
        self.deleted: list[str] = []
        self.resources: list[dict[str, str]] = []
        self.exported: dict[str, list[str]] = {}
        self.calls: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.before: Callable[[str], None] = lambda operation: None
        self.tokens: list[str] = []

    def _call(self, operation: str) -> None:
        self.calls.append(operation)
        self.before(operation)
        if operation in self.fails:
            raise self.fails.pop(operation)

    def create_change_set(self, **parameters: Any) -> Any:
        self._call("CreateChangeSet")
        self.change_sets[parameters["ChangeSetName"]] = parameters
        return {"Id": parameters["ChangeSetName"], "StackId": f"arn:{parameters['StackName']}"}

    def describe_change_set(self, *, ChangeSetName: str, **_: Any) -> Any:
        self._call("DescribeChangeSet")
        if ChangeSetName not in self.change_sets:
            raise NotFound({"Error": {"Code": "ChangeSetNotFound"}}, "DescribeChangeSet")
        asked = self.change_sets[ChangeSetName]
        mode = {key: asked[key] for key in ("DeploymentMode",) if key in asked and self.knows_drift}
        if self.reason or not self.changes:
            nothing = "The submitted information didn't contain changes."
            return {"Status": "FAILED", "StatusReason": self.reason or nothing, **mode}
        changes = [
            {
                "ResourceChange": {
                    "Action": "Modify",
                    "LogicalResourceId": name,
                    "ResourceType": f"AWS::X::{name}",
                    **self.details,
                }
            }
            for name in self.changes
        ]
        arn = f"arn:{asked['StackName']}"
        return {"Status": "CREATE_COMPLETE", "StackId": arn, "Changes": changes, **mode}

    def describe_events(self, *, ChangeSetName: str, Filters: Any) -> Any:
        self._call("DescribeEvents")
        assert ChangeSetName in self.change_sets and Filters == {"FailedEvents": True}
        return {"OperationEvents": self.validations}

    def delete_change_set(self, *, StackName: str, ChangeSetName: str) -> None:
        self._call("DeleteChangeSet")
        self.change_sets.pop(ChangeSetName, None)

    def get_paginator(self, operation: str) -> Any:
        if operation == "list_stack_resources":
            self._call("ListStackResources")
            pages = [{"StackResourceSummaries": [one]} for one in self.resources]
            return SimpleNamespace(paginate=lambda StackName: pages)
        if operation == "list_imports":
            return SimpleNamespace(paginate=lambda ExportName: [self.list_imports(ExportName)])
        assert operation == "list_change_sets"
        self._call("ListChangeSets")
        names = [{"ChangeSetName": name} for name in self.change_sets]
        return SimpleNamespace(paginate=lambda **_: iter([{"Summaries": names}]))

    def execute_change_set(self, *, ChangeSetName: str, ClientRequestToken: str) -> None:
        self._call("ExecuteChangeSet")
        if ChangeSetName not in self.change_sets:
            raise NotFound({"Error": {"Code": "ChangeSetNotFound"}}, "ExecuteChangeSet")
        self.change_sets.clear()
        self.executed.append(ChangeSetName)
        self.tokens.append(ClientRequestToken)

    def somebody_executes(self) -> None:
        self.change_sets.clear()

    def describe_stack_events(self, *, StackName: str) -> Any:
        self._call("DescribeStackEvents")
        events = [
            {
                "EventId": "e0",
                "Timestamp": START,
                "StackName": "web-db",
                "ClientRequestToken": token,
            }
            for token in self.tokens
        ]
        return {"StackEvents": events}

    def describe_stacks(self, *, StackName: str) -> Any:
        self._call("DescribeStacks")
        return {"Stacks": [{"StackName": StackName, "StackStatus": self.status}]}

    def get_template(self, *, StackName: str) -> Any:
        self._call("GetTemplate")
        return {"TemplateBody": self.template}

    def list_imports(self, ExportName: str) -> Any:
        self._call("ListImports")
        return {"Imports": self.exported.get(ExportName, [])}

    def delete_stack(self, *, StackName: str, **more: Any) -> None:
        self._call("DeleteStack")
        self.deleted.append(StackName)
        self.retained = more.get("RetainResources", [])

    def cancel_update_stack(self, *, StackName: str) -> None:
        self._call("CancelUpdateStack")

    def rollback_stack(self, *, StackName: str, ClientRequestToken: str) -> None:
        self._call("RollbackStack")

    def continue_update_rollback(self, **parameters: Any) -> None:
        self._call("ContinueUpdateRollback")
        self.skipped = parameters["ResourcesToSkip"]


class Clients(Writer):
    """What stands where `opsctl.aws.Clients` stands."""

    def __init__(self, cloudformation: CloudFormation, **others: Any) -> None:
        super().__init__(others.pop("ssm", None) or Ssm())
        self.cloudformation = cloudformation
        for name, client in others.items():
            setattr(self, name, client)

    def check_account(self) -> None:
        pass
