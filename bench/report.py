"""One table a measurement: the ratio, what it must be, what it aims at."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`must` and `aim` are upper bounds, or lower ones when `more_is_better`."""

    what: str
    value: float
    must: float
    aim: float
    more_is_better: bool = False

    def meets(self, bound: float) -> bool:
        return self.value >= bound if self.more_is_better else self.value <= bound


def report(rows: Sequence[Row]) -> int:
    """Print the rows and return how many miss what they must reach."""
    for row in rows:
        verdict = "aim" if row.meets(row.aim) else "ok" if row.meets(row.must) else "MISSED"
        sign = ">=" if row.more_is_better else "<="
        sys.stdout.write(
            f"{row.what:<46} {row.value:8.3f}  must {sign} {row.must:<6g} "
            f"aim {sign} {row.aim:<6g} {verdict}\n"
        )
    sys.stdout.flush()
    return sum(not row.meets(row.must) for row in rows)
