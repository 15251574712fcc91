"""Lists that are answered whole, given out in pages as the API gives them.

Which parameter is the token, which the size and which member the list, botocore's paginators know.
"""

from typing import Any

from opsctl.sandbox import pages
from opsctl.sandbox.calls import Call, Forward, Operation, Refused, Structure
from opsctl.sandbox.wire import models


def paged(
    *, size: int, code: str, most: int | None = None, whole: Operation | None = None
) -> Operation:
    """The operation in pages of `size`, or of as many as asked for up to `most`.

    `code` refuses other sizes and foreign tokens. `whole` answers without pages; ministack does
    when there is none.
    """
    most = most or size

    async def operation(call: Call, ministack: Forward) -> Structure:
        keys = models.paginator(call.service, call.operation)
        asked = dict(call.parameters)
        token = asked.pop(keys["input_token"], None)
        wanted = asked.pop(keys["limit_key"], None) or size
        if not 1 <= int(wanted) <= most:
            raise Refused(code, f"{keys['limit_key']} must be between 1 and {most}.")
        answer = await _everything(call, asked, ministack, whole)
        name, member = f"{call.service}/{call.operation}", keys["result_key"]
        try:
            page, left = pages.cut(
                answer.get(member) or [], token=token, size=int(wanted), list_name=name
            )
        except ValueError as error:
            raise Refused(code, f"The {keys['input_token']} is invalid.") from error
        return {**answer, member: page} | ({keys["output_token"]: left} if left else {})

    return operation


async def _everything(
    call: Call, asked: dict[str, Any], ministack: Forward, whole: Operation | None
) -> dict[str, Any]:
    keys = models.paginator(call.service, call.operation)
    found: list[Any] = []
    while True:
        one = Call(call.service, call.operation, asked, call.region, call.account)
        answer = dict(await (whole(one, ministack) if whole else ministack(asked)))
        found += answer.get(keys["result_key"]) or []
        token = answer.pop(keys["output_token"], None)
        if not token:
            return {**answer, keys["result_key"]: found}
        asked = {**asked, keys["input_token"]: token}
