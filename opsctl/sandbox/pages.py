"""Lists in pages: the one kind of token that this sandbox gives out, and reading it back."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def cut(
    items: Sequence[Item], *, token: str | None, size: int, list_name: str
) -> tuple[list[Item], str | None]:
    """One page and the token of the next; a token serves the list that gave it, and no other.

    Raises ValueError for a token of somebody else.
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
