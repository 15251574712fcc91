"""Write a number with its noun."""


def counted(number: int, noun: str) -> str:
    """Return `1 task`, `3 tasks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
