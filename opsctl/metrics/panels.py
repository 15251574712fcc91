"""The content of a chart, shared by the HTML page and the picture. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opsctl.metrics.series import Series


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart. `number` formats a value of its axis; `top` is the greatest value of the axis."""

    title: str
    tells: str
    series: Series
    number: Callable[[float], str]
    threshold: float | None = None

    @property
    def group(self) -> str:
        return self.series.query.metric.group

    @property
    def values(self) -> Sequence[float | None]:
        return self.series.scaled

    @property
    def known(self) -> Sequence[float]:
        return [value for value in self.values if value is not None]

    @property
    def top(self) -> float:
        limit = [] if self.threshold is None else [self.threshold]
        return max([*self.known, *limit], default=0.0) or 1.0

    def runs(self) -> Iterator[list[tuple[int, float]]]:
        return runs(self.values)


def runs(values: Iterable[float | None]) -> Iterator[list[tuple[int, float]]]:
    """Yield runs of points without a gap, because a line must not bridge a gap."""
    run: list[tuple[int, float]] = []
    for index, value in enumerate(values):
        if value is not None:
            run.append((index, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def panels(
    series: Sequence[Series],
    *,
    name: Callable[[Series], str],
    number: Callable[[Series, float], str],
    thresholds: Mapping[int, float],
) -> list[Panel]:
    """Return one panel for each series.

    `thresholds` maps the index of a series to its threshold.
    """
    return [
        Panel(name(one), _tells(one), one, _of(one, number), thresholds.get(index))
        for index, one in enumerate(series)
    ]


def _tells(series: Series) -> str:
    metric = series.query.metric
    per = "/min" if metric.statistic == "Sum" else ""
    return f"{metric.unit}{per}: {metric.tells}"


def _of(series: Series, number: Callable[[Series, float], str]) -> Callable[[float], str]:
    return lambda value: number(series, value)
