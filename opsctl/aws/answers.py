"""Detect answers that are not from AWS, or only half of an answer."""

from collections.abc import Callable, Mapping
from typing import Any

from opsctl.aws.faults import NotAws, code, fault, unreadable, unsendable
from opsctl.aws.parsing import WrongType

# Lists that every answer of AWS has; an answer without one would otherwise be read as empty.
_LISTS: Mapping[str, str] = {"FilterLogEvents": "events"}


_PAGES = (b"<!doctype", b"<html")


def checked(make: Callable[..., Any], client: Any, operation: str, parameters: Any) -> Any:
    """Make a call and return the answer.

    Raises NotAws for another page in its place, as proxies send with status 200.
    """
    from botocore.exceptions import HTTPClientError

    try:
        answer = make(client, operation, parameters)
    except HTTPClientError as error:
        if refusal := unsendable(error):
            raise refusal from None
        raise
    except OSError as error:
        # Renewing credentials from a file or by a program failed.
        raise unreadable(error) or error from error
    except client.exceptions.ClientError as error:
        # A proxy's refusal. One of a server's error (502) may be of AWS's own load balancers.
        # A redirect without a code of AWS's leads to a page, too.
        elsewhere = code(error).isdecimal() and code(error).startswith("3")
        if elsewhere or (_is_page(error.response) and fault(error) == "refused"):
            raise NotAws(client.meta.endpoint_url) from error
        raise
    except Exception as error:
        # Nothing else but reading the answer raises errors that botocore does not know.
        if fault(error) is not None:
            raise
        lacks = f": in its answer to {operation}, {error}" if isinstance(error, WrongType) else ""
        raise NotAws(client.meta.endpoint_url, lacks) from error
    if _is_page(answer):
        raise NotAws(client.meta.endpoint_url)
    whole = Answer(answer, client.meta.endpoint_url, operation)
    if operation in _LISTS and not isinstance(whole[_LISTS[operation]], list):
        return whole.__missing__(_LISTS[operation])
    return whole


def _is_page(answer: Mapping[str, Any]) -> bool:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return bool(headers.get("content-type", "").startswith("text/html"))


class Answer(dict[str, Any]):
    """One answer of AWS. A missing key raises NotAws, because other servers may answer `{}`."""

    def __init__(self, content: Mapping[str, Any], endpoint: str, operation: str) -> None:
        super().__init__(content)
        self._endpoint = endpoint
        self._operation = operation

    def __missing__(self, key: str) -> Any:
        raise NotAws(self._endpoint, f": its answer to {self._operation} has no `{key}`")


def refuse_half(http_response: Any, model: Any, **_: object) -> None:
    """Raise ResponseParserError for half a JSON text, and NotAws for a web page.

    botocore would take them for an empty answer, or for a refusal without a code. For the event
    `after-call`.
    """
    from botocore.parsers import ResponseParserError

    body = http_response.content
    if not isinstance(body, bytes) or not body:
        return
    if http_response.status_code == 200 and body.lstrip()[:9].lower().startswith(_PAGES):
        # In EC2's format any XML is an answer, of which nothing is known.
        raise NotAws(http_response.url)
    if not _speaks_json(http_response, model):
        return
    # A refusal may be a plain sentence, for instance a proxy's; an answer is JSON.
    begins = http_response.status_code == 200 or body.lstrip().startswith(b"{")
    if begins and not body.rstrip().endswith(b"}"):
        raise ResponseParserError(f"the answer to {model.name} was cut off")


def _speaks_json(http_response: Any, model: Any) -> bool:
    kind = http_response.headers.get("content-type", "")
    # A service may have several protocols; botocore chooses one.
    return model.service_model.resolved_protocol == "json" and "html" not in kind
