"""Lists in pages: create and read the sandbox's only kind of token.

botocore's paginators know which parameters are token and size, and which member is the list.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from opsctl_sandbox.wire import models
from opsctl_sandbox.wire.calls import Call, Forward, Operation, Refused, Structure

Item = TypeVar("Item")


def paged(
    *,
    size: int,
    code: str,
    least: int = 1,
    most: int | None = None,
    size_code: str = "",
    whole: Operation | None = None,
) -> Operation:
    """Return the operation with pages of `size`, or of the call's size, from `least` to `most`.

    Foreign tokens are refused with `code`, other sizes with `size_code` or the same. `whole`
    answers without pages; without it ministack does.
    """
    most = most or size

    async def operation(call: Call, ministack: Forward) -> Structure:
        keys = models.paginator(call.service, call.operation)
        parameters = dict(call.parameters)
        token = parameters.pop(keys["input_token"], None)
        limit = parameters.pop(keys["limit_key"], None) or size
        if not least <= int(limit) <= most:
            sentence = f"{keys['limit_key']} must be between {least} and {most}."
            raise Refused(size_code or code, sentence)
        answer = await _everything(call, parameters, ministack, whole)
        name, member = f"{call.service}/{call.operation}", keys["result_key"]
        try:
            page, left = cut(answer.get(member) or [], token=token, size=int(limit), list_name=name)
        except ValueError as error:
            raise Refused(code, f"The {keys['input_token']} is invalid.") from error
        return {**answer, member: page} | ({keys["output_token"]: left} if left else {})

    return operation


async def _everything(
    call: Call, parameters: dict[str, Any], ministack: Forward, whole: Operation | None
) -> dict[str, Any]:
    keys = models.paginator(call.service, call.operation)
    items: list[Any] = []
    while True:
        one = Call(call.service, call.operation, parameters, call.region, call.account)
        answer = dict(await (whole(one, ministack) if whole else ministack(parameters)))
        items += answer.get(keys["result_key"]) or []
        token = answer.pop(keys["output_token"], None)
        if not token:
            return {**answer, keys["result_key"]: items}
        parameters = {**parameters, keys["input_token"]: token}


def cut(
    items: Sequence[Item], *, token: str | None, size: int, list_name: str
) -> tuple[list[Item], str | None]:
    """Return one page and the token of the next; a token is valid for its own list only.

    Raises ValueError for a foreign token.
    """
    start = _position(token, list_name) if token else 0
    page = list(items[start : start + size])
    left = start + size < len(items)
    return page, _token(list_name, start + size) if left else None


def _token(list_name: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{list_name}/{position}".encode()).decode()


def _position(token: str, list_name: str) -> int:
    try:
        name, _, position = base64.urlsafe_b64decode(token).decode().rpartition("/")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"not a token: {token}") from error
    if name != list_name:
        raise ValueError(f"not a token of {list_name}: {token}")
    return int(position)
