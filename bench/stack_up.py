"""A stack operation that takes 8 s: how long until the user knows, against `aws … deploy`."""

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from bench.report import Row, report

ROOT = Path(__file__).parent.parent
CHANGE_SET_SECONDS, STACK_SECONDS = 1.0, 7.0
_NS = 'xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"'
_SSM = {"GetParametersByPath": {"Parameters": []}, "PutParameter": {"Version": 1}}
_ARN = "arn:aws:cloudformation:us-east-1:000000000000"


class _Stub:
    """CloudFormation for one stack: a change set ready after 1 s, done 7 s after execution."""

    def __init__(self) -> None:
        self.planned = self.executed = float("inf")

    def answer(self, action: str) -> tuple[int, str]:
        now = time.monotonic()
        done = now - self.executed > STACK_SECONDS
        if action == "CreateChangeSet":
            self.planned = now
            return 200, f"<Id>{_ARN}:changeSet/c/1</Id><StackId>{_ARN}:stack/s/1</StackId>"
        if action == "DescribeChangeSet":
            ready = now - self.planned > CHANGE_SET_SECONDS
            status = "CREATE_COMPLETE" if ready else "CREATE_IN_PROGRESS"
            return 200, (
                f"<ChangeSetId>{_ARN}:changeSet/c/1</ChangeSetId><StackId>{_ARN}:stack/s/1"
                f"</StackId><StackName>s</StackName><Status>{status}</Status><Changes><member>"
                "<Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>R"
                "</LogicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType>"
                "</ResourceChange></member></Changes>"
            )
        if action == "ExecuteChangeSet":
            self.executed = now
            return 200, ""
        if action == "DescribeStackEvents":
            return 200, f"<StackEvents>{self._event(done)}</StackEvents>"
        if action == "DescribeStacks" and self.executed != float("inf"):
            status = "CREATE_COMPLETE" if done else "CREATE_IN_PROGRESS"
            return 200, (
                f"<Stacks><member><StackId>{_ARN}:stack/s/1</StackId><StackName>s</StackName>"
                f"<CreationTime>2026-11-23T00:00:00Z</CreationTime><StackStatus>{status}"
                "</StackStatus></member></Stacks>"
            )
        if action == "GetCallerIdentity":
            return 200, "<Account>000000000000</Account><Arn>arn:aws:iam::000000000000:root</Arn>"
        if action == "DescribeCacheClusters":
            return 200, "<CacheClusters/>"
        return 400, "Stack with id s does not exist"

    def _event(self, done: bool) -> str:
        if self.executed == float("inf"):
            return ""
        status = "CREATE_COMPLETE" if done else "CREATE_IN_PROGRESS"
        return (
            f"<member><EventId>{status}</EventId><StackId>{_ARN}:stack/s/1</StackId><StackName>s"
            "</StackName><LogicalResourceId>s</LogicalResourceId><ResourceType>"
            f"AWS::CloudFormation::Stack</ResourceType><ResourceStatus>{status}</ResourceStatus>"
            "<Timestamp>2026-11-23T00:00:00Z</Timestamp></member>"
        )


def _serve(stub: _Stub) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if target := self.headers.get("X-Amz-Target"):
                # SSM holds the lock; nobody else has one.
                text = json.dumps(_SSM.get(target.partition(".")[2], {})).encode()
                self._answer(200, "application/x-amz-json-1.1", text)
                return
            action = parse_qs(body)["Action"][0]
            status, inner = stub.answer(action)
            text = (
                f"<{action}Response {_NS}><{action}Result>{inner}</{action}Result>"
                f"</{action}Response>"
                if status == 200
                else f"<ErrorResponse {_NS}><Error><Code>ValidationError</Code>"
                f"<Message>{inner}</Message></Error></ErrorResponse>"
            ).encode()
            self._answer(status, "text/xml", text)

        def _answer(self, status: int, content_type: str, text: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _timed(command: list[str]) -> float:
    server = _serve(_Stub())
    env = {
        **os.environ,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    started = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    server.shutdown()
    server.server_close()
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} exited {done.returncode}: {done.stderr[-800:]}")
    return seconds


def main() -> int:
    opsctl = str(Path(sys.executable).with_name("opsctl"))
    aws = str(Path(os.environ["BENCH_VENV"]) / "bin" / "aws")
    example = str(ROOT / "opsctl.example.yaml")
    template = ROOT / "tests" / "golden" / "db.yaml"
    ours = _timed([opsctl, "db", "up", "--yes", "-c", example])
    theirs = _timed(
        [aws, "cloudformation", "deploy", "--stack-name", "s", "--template-file", str(template)]
    )
    stack = CHANGE_SET_SECONDS + STACK_SECONDS
    return report(
        [
            Row("opsctl db up / the stack's own time", ours / stack, 1.2, 1.06),
            Row("opsctl db up / aws cloudformation deploy", ours / theirs, 0.35, 0.27),
        ]
    )
