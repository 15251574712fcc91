"""Correct ministack's GetMetricData: the newest point is first, unless `ScanBy` says otherwise, and
a metric without a label has its name as one.
"""

from opsctl_sandbox.wire.calls import Call, Forward, Operations, Structure


async def get_metric_data(call: Call, ministack: Forward) -> Structure:
    answer = await ministack(call.parameters)
    newest_first = call.parameters.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    labels = {
        one["Id"]: one["MetricStat"]["Metric"]["MetricName"]
        for one in call.parameters["MetricDataQueries"]
        if "MetricStat" in one and "Label" not in one
    }
    results = []
    for result in answer.get("MetricDataResults", ()):
        points = zip(result["Timestamps"], result["Values"], strict=True)
        ordered = sorted(points, key=lambda point: point[0], reverse=newest_first)
        times, values = [at for at, _ in ordered], [value for _, value in ordered]
        label = labels.get(result["Id"], result.get("Label"))
        results.append({**result, "Label": label, "Timestamps": times, "Values": values})
    return {**answer, "MetricDataResults": results}


OPERATIONS: Operations = {("monitoring", "GetMetricData"): get_metric_data}
