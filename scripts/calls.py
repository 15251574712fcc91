"""Every call of AWS that the code can make, found in its text."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_CLIENT = re.compile(r"(\w+)Client\b")


def every() -> list[str]:
    """`service Operation` of every call in opsctl, sorted."""
    calls: set[str] = set()
    for path in sorted((ROOT / "opsctl").rglob("*.py")):
        if "_project" not in path.parts:
            calls |= set(_Scan(path).calls())
    return sorted(calls)


@cache
def services() -> Mapping[str, Mapping[str, str]]:
    """service -> method of its client -> operation, for the services that Clients has."""
    import botocore.session
    from botocore import xform_name

    from opsctl.aws import clients

    session = botocore.session.Session()
    names = {
        one._name for one in vars(clients.Clients).values() if type(one).__name__ == "_Service"
    }
    return {
        name: {
            xform_name(operation): operation
            for operation in session.get_service_model(name).operation_names
        }
        for name in sorted(names)
    }


class _Scan:
    """The calls of one file: methods of clients, and the names given to paginators and waiters."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))

    def calls(self) -> Iterator[str]:
        for node, typed in self._nodes():
            if isinstance(node, ast.Attribute):
                yield from self._call(node.attr, _name(node.value), typed)
            elif isinstance(node, ast.Call):
                # The arguments of get_paginator, get_waiter, and of what passes a name on to them.
                receiver = _name(node.func.value) if isinstance(node.func, ast.Attribute) else ""
                for argument in node.args:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield from self._call(argument.value, receiver, typed)

    def _nodes(self) -> Iterator[tuple[ast.AST, Mapping[str, str]]]:
        """Each node with the clients among the parameters of the functions around it."""

        def walk(node: ast.AST, typed: Mapping[str, str]) -> Iterator[Any]:
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                typed = {**typed, **dict(_typed(node.args))}
            yield node, typed
            for child in ast.iter_child_nodes(node):
                yield from walk(child, typed)

        return walk(self.tree, {})

    def _call(self, method: str, receiver: str, typed: Mapping[str, str]) -> Iterator[str]:
        if "_" not in method:
            return
        having = [name for name, methods in services().items() if method in methods]
        around = {service for service in typed.values() if service in having}
        known = typed.get(receiver, receiver)
        if known in having:
            having = [known]
        elif len(around) == 1:
            having = list(around)
        if len(having) > 1:
            raise LookupError(f"{self.path}: whose `{method}` is it? {having}: name the client so")
        for service in having:
            yield f"{service} {services()[service][method]}"


def _name(node: ast.expr) -> str:
    """The last word before the method: `clients.ecs.update_service` has `ecs`."""
    if isinstance(node, ast.Attribute):
        return node.attr.removesuffix("_once").replace("_", "-")
    return node.id if isinstance(node, ast.Name) else ""


def _typed(arguments: ast.arguments) -> Iterator[tuple[str, str]]:
    classes = {"elasticloadbalancingv2": "elbv2", "cloudwatchlogs": "logs"}
    for one in arguments.args + arguments.kwonlyargs:
        match = _CLIENT.search(ast.unparse(one.annotation) if one.annotation else "")
        if match:
            name = match[1].lower()
            yield one.arg, classes.get(name, name)
