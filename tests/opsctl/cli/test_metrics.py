import csv
import io
import json
import signal
import subprocess
import time

import pytest

from tests.opsctl.cli.conftest import System


def put(system: System, namespace: str, name: str, dimensions: dict[str, str]) -> None:
    """Half an hour of 1, 2, 3 … a minute, with ten minutes missing."""
    cloudwatch, now = system.client("cloudwatch"), time.time()
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": dimensions[key]} for key in dimensions],
                "Timestamp": now - 60 * (31 - minute),
                "Value": float(minute),
            }
            for minute in range(1, 31)
            if not 10 < minute <= 20
        ],
    )
    cloudwatch.close()


@pytest.fixture
def measured(system: System) -> System:
    name = system.name
    put(system, "AWS/ECS", "CPUReservation", {"ClusterName": name})
    put(system, "AWS/Logs", "IncomingLogEvents", {"LogGroupName": f"/{name}/app"})
    return system


def test_a_table_has_a_row_for_each_metric_and_gaps_are_seen(measured: System) -> None:
    done = measured.run("metrics", "cluster", "logs", "--since", "30m")
    assert done.returncode == 0
    rows = {line.split("  ")[1]: line for line in done.stdout.splitlines() if line[:2] == "  "}
    cpu = next(line for line in rows.values() if "CPUReservation" in line)
    assert "▁" in cpu and "█" in cpu and "··" in cpu
    assert " 30~ " in cpu
    assert "no data" in next(line for line in rows.values() if "MemoryReservation" in line)
    assert "IncomingLogEvents app" in done.stdout


def test_json_keeps_gaps_as_null(measured: System) -> None:
    done = measured.run("--json", "metrics", "cluster", "--since", "30m")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    cpu = next(each for each in found if each["metric"] == "CPUReservation")
    assert (cpu["v"], cpu["type"], cpu["period_seconds"]) == (2, "metric", 60)
    assert cpu["points"].count(None) in (10, 11)
    assert 0 not in cpu["points"]
    empty = next(each for each in found if each["metric"] == "MemoryReservation")
    assert set(empty["points"]) == {None}


def test_csv_is_a_line_a_point(measured: System) -> None:
    done = measured.run("metrics", "logs", "--since", "30m", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["metric"] for row in rows} == {"IncomingLogEvents"}
    assert {row["about"] for row in rows} == {"app"}
    assert len(rows) in (19, 20)


def test_without_a_stack_it_says_what_cannot_be_shown(system: System) -> None:
    done = system.run("metrics")
    assert done.returncode == 0
    assert "nothing to show for lb and asg; opsctl ecs up" in done.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["clstr"], "hint: opsctl metrics cluster"),
        (["--period", "90s"], "whole minutes"),
        (["--period", "30s"], "whole minutes"),
        (["--watch", "--every", "soon"], "--every 20m"),
        (["--period", "1m", "--since", "20d"], "keeps no 60 s points"),
        (["--since", "2030-01-01"], "in the past"),
        (["--watch", "--plot", "x"], "--watch does not go together with --plot"),
        (["--check", "--png", "x"], "--check does not go together with --html or --png"),
    ],
)
def test_what_cannot_be_meant_is_refused(system: System, options: list[str], text: str) -> None:
    done = system.run("metrics", *options)
    assert (done.returncode, text in done.stderr) == (2, True), done.stderr


def fail(system: System, kind: str, *, times: int) -> None:
    """The next calls for data, until they have failed."""
    system.fault({"kind": kind, "operation": "monitoring:GetMetricData", "times": times})


def test_a_watch_goes_on_through_faults_says_its_price_and_ends_with_ctrl_c(
    measured: System,
) -> None:
    with subprocess.Popen(
        measured.command("metrics", "cluster", "--watch", "--every", "1s", "--since", "30m"),
        cwd=measured.folder, env=measured.variables, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None

        def look() -> None:
            while not process.stdout.readline().startswith(f"{measured.name}  "):  # type: ignore[union-attr]  # as above
                assert process.poll() is None

        look()
        look()
        fail(measured, "throttle", times=2)
        look()
        # The second one is the call with the keys read anew.
        fail(measured, "expired", times=2)
        look()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        said = process.stderr.read()
        assert "4 metrics every 1s: about $0.14 an hour" in said
        assert "expired (ExpiredToken); looking again in 1s" in said


def test_a_check_a_chart_and_a_page_are_of_the_same_metrics(measured: System) -> None:
    check = measured.run("metrics", "cluster", "--check")
    assert (check.returncode, check.stdout[:9]) == (10, "degraded:"), check.stderr
    plot = measured.run("metrics", "cluster", "--plot", "cpureservation", "--since", "30m")
    assert plot.stdout.startswith("cluster: CPUReservation, %\n")
    plot = measured.run("--json", "metrics", "cluster", "--plot", "cpureservation")
    assert [json.loads(line)["metric"] for line in plot.stdout.splitlines()] == ["CPUReservation"]
    files = ("--html", "page.html", "--png", "picture.png")
    page = measured.run("metrics", "cluster", *files, "--since", "30m")
    assert page.returncode == 0, page.stderr
    assert (measured.folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert (measured.folder / "page.html").read_text(encoding="utf-8").count("<svg") == 4
    told = measured.run("metrics", "cluster", "--explain")
    assert "CPU units that tasks have reserved" in told.stdout


def test_a_check_of_a_system_that_was_never_made_is_not_healthy(system: System) -> None:
    for group in ("cache", "service"):
        check = system.run("metrics", group, "--check")
        assert check.returncode == 11, check.stdout
        assert check.stdout.startswith(f"unknown: no system called `{system.name}` here")
