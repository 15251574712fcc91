"""How a deployment rolls, in the words that a stack's output and the live service share."""


def in_words(minimum: int, maximum: int, *, breaker: bool, rollback: bool) -> str:
    """Return for example `100 to 200 percent of the tasks, a breaker with rollback`."""
    stops = f"a breaker with{'' if rollback else 'out'} rollback" if breaker else "no breaker"
    return f"{minimum} to {maximum} percent of the tasks, {stops}"
