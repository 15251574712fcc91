"""What answered in place of AWS, or only half of an answer, told before anybody reads it."""

from collections.abc import Callable, Mapping
from typing import Any

from opsctl.aws.faults import NotAws, fault, unreadable


def checked(make: Callable[..., Any], client: Any, operation: str, parameters: Any) -> Any:
    """The answer. Raises NotAws for a page in its place, as a proxy gives it with a status 200."""
    try:
        answer = make(client, operation, parameters)
    except OSError as error:
        # Credentials that were to be renewed from a file or by a program.
        raise unreadable(error) or error from error
    except client.exceptions.ClientError as error:
        # A proxy's refusal. One of a server's error (502) may be of AWS's own load balancers.
        if _is_page(error.response) and fault(error) == "refused":
            raise NotAws(client.meta.endpoint_url) from error
        raise
    except (KeyError, AttributeError, UnicodeDecodeError) as error:
        # botocore's parsers looked for a part that every answer of AWS has.
        raise NotAws(client.meta.endpoint_url) from error
    if _is_page(answer):
        raise NotAws(client.meta.endpoint_url)
    return Answer(answer, client.meta.endpoint_url, operation)


def _is_page(answer: Mapping[str, Any]) -> bool:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return bool(headers.get("content-type", "").startswith("text/html"))


class Answer(dict[str, Any]):
    """One answer of AWS. Another server's `{}` shows when what AWS always says is looked for."""

    def __init__(self, content: Mapping[str, Any], endpoint: str, operation: str) -> None:
        super().__init__(content)
        self._endpoint = endpoint
        self._operation = operation

    def __missing__(self, key: str) -> Any:
        raise NotAws(self._endpoint, f": its answer to {self._operation} has no `{key}`")


def refuse_half(http_response: Any, model: Any, **_: object) -> None:
    """Raises ResponseParserError for half a JSON text.

    botocore reads it as an empty answer, or as a refusal without a code.

    For the event `after-call`.
    """
    from botocore.parsers import ResponseParserError

    body = http_response.content
    if not isinstance(body, bytes) or not body or not _speaks_json(http_response, model):
        return
    # A refusal may be a plain sentence, of a proxy for instance; an answer is JSON.
    begins = http_response.status_code == 200 or body.lstrip().startswith(b"{")
    if begins and not body.rstrip().endswith(b"}"):
        raise ResponseParserError(f"the answer to {model.name} was cut off")


def _speaks_json(http_response: Any, model: Any) -> bool:
    kind = http_response.headers.get("content-type", "")
    # Of several protocols that a service has, botocore takes one.
    return model.service_model.resolved_protocol == "json" and "html" not in kind
