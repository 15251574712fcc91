from opsctl.snapshot import lines
from opsctl.snapshot.task_definitions import LogStream, TaskDefinition
from tests.opsctl.snapshot.conftest import Stub

DEFINITION = TaskDefinition("td:2", ("app",), logs=(LogStream("/app/stdout", "caddy", "app"),))
PARAMETERS = {
    "logGroupName": "/app/stdout",
    "logStreamName": "caddy/app/t1",
    "startFromHead": False,
    "limit": 20,
}


def test_the_last_lines_are_those_of_the_tasks_own_stream_oldest_first(stub: Stub) -> None:
    logs, stubber = stub("logs")
    events = [{"message": "starting\n"}, {"message": "no such file\n"}]
    stubber.add_response("get_log_events", {"events": events}, PARAMETERS)
    assert lines.last(logs, DEFINITION, "t1") == ("starting", "no such file")


def test_no_screen_shows_a_secret_that_a_task_wrote(stub: Stub) -> None:
    logs, stubber = stub("logs")
    events = [{"message": "\x1b[31mlogin failed: password=hunter2\x1b[0m\n"}]
    stubber.add_response("get_log_events", {"events": events}, PARAMETERS)
    assert lines.last(logs, DEFINITION, "t1") == ("login failed: password=•••",)


def test_a_stream_that_is_not_there_yet_has_no_lines(stub: Stub) -> None:
    logs, stubber = stub("logs")
    stubber.add_client_error("get_log_events", "ResourceNotFoundException")
    assert lines.last(logs, DEFINITION, "t1") == ()


def test_a_container_that_logs_elsewhere_is_not_asked_about(stub: Stub) -> None:
    logs, _ = stub("logs")
    assert lines.last(logs, TaskDefinition("td:2", ("app",)), "t1") == ()
