"""Change live alarms outside of their stack: switch their actions on, restore their settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opsctl import aws
from opsctl.alarms import watched
from opsctl.alarms.catalogue import OPERATORS
from opsctl.alarms.watched import Watched
from opsctl.config.model import Config
from opsctl.plural import counted
from opsctl.procedure import Notice, Procedure, look_at

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient

    from opsctl.aws import Clients

_MOST = 100  # names in one call


def switch_on(clients: "Clients", config: Config) -> Procedure[None]:
    """Switch the actions on after the first release, which stands even if this is refused."""
    now = yield from look_at(watched.LOOK)
    off = [
        one.name
        for one in watched.watched(now, config)
        if one.state is not None and not one.state.actions
    ]
    if not off:
        return
    try:
        for first in range(0, len(off), _MOST):
            names = off[first : first + _MOST]
            clients.cloudwatch.enable_alarm_actions(AlarmNames=names)
    except Exception as error:
        if aws.fault(error) is None:
            raise
        text = f"the alarms stay silent ({aws.translate(error)}): opsctl alarms up"
        yield Notice(text, warning=True)
        return
    yield Notice(f"the first release is out: {counted(len(off), 'alarm')} switched on")


def put_back(cloudwatch: "CloudWatchClient", alarms: Sequence[Watched], topic: str) -> None:
    """Restore alarms to the catalogue's settings.

    PutMetricAlarm replaces everything but the state.
    """
    for one in alarms:
        if one.query is None:
            continue
        alarm = one.alarm
        request: dict[str, Any] = {
            "AlarmName": one.name,
            "AlarmDescription": alarm.tells,
            "Namespace": alarm.namespace,
            "MetricName": alarm.metric,
            "Dimensions": [
                {"Name": name, "Value": value} for name, value in one.query.dimensions.items()
            ],
            "Statistic": alarm.statistic,
            "Period": alarm.period,
            "EvaluationPeriods": alarm.periods,
            "DatapointsToAlarm": alarm.points,
            "ComparisonOperator": OPERATORS[alarm.comparison],
            "Threshold": float(alarm.threshold),
            "TreatMissingData": alarm.missing,
            "ActionsEnabled": True,
            "AlarmActions": [topic],
            "OKActions": [topic],
        }
        cloudwatch.put_metric_alarm(**request)
