"""User data is read, not run: when an instance signals decides whether an outage is seen."""

import pytest

from opsctl_sandbox.cluster import user_data
from opsctl_sandbox.cluster.user_data import Collected

AT_THE_END = """#!/bin/bash
cat > /etc/ecs/ecs.config <<'CONFIG'
ECS_CLUSTER=web
ECS_INSTANCE_ATTRIBUTES={"opsctl.machine":"abc","rack":"1"}
CONFIG
trap '/opt/aws/bin/cfn-signal --exit-code 1' ERR
systemctl enable --now --no-block ecs
/opt/aws/bin/cfn-signal --exit-code 0 --stack s --resource Group
"""
BY_A_FILE = """#!/bin/bash
cat > /usr/local/sbin/say <<'SAY'
/opt/aws/bin/cfn-signal --exit-code "$1"
SAY
/usr/local/sbin/say 0
"""
AFTER_THE_JOIN = """#!/bin/bash
exec > >(tee -a /var/log/start.log) 2>&1
cat > /usr/local/sbin/say <<'SAY'
#!/bin/bash
if [ "$1" -ne 0 ]; then
  { echo "cannot start"; tail -n 30 /var/log/start.log; } > /dev/console
fi
/opt/aws/bin/cfn-signal --exit-code "$1"
SAY
trap '/usr/local/sbin/say 1' ERR
cat > /usr/local/sbin/join <<'JOIN'
for attempt in $(seq 120); do
  if curl -fs http://127.0.0.1:51678/v1/metadata; then exec /usr/local/sbin/say 0; fi
  sleep 5
done
exec /usr/local/sbin/say 1
JOIN
cat > /etc/systemd/system/join.service <<'UNIT'
[Service]
ExecStart=/usr/local/sbin/join
UNIT
systemctl start --no-block join
"""
TRAP = "trap '/usr/local/sbin/say 1' ERR"
LONG_TRAP = AFTER_THE_JOIN.replace(TRAP, "trap 'set +x\n  /usr/local/sbin/say 1' ERR")
NEVER_STARTED = AFTER_THE_JOIN.replace("systemctl start --no-block join", "")
PLAIN = "#!/bin/sh\necho ECS_CLUSTER=web >> /etc/ecs/ecs.config\n"


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        (AT_THE_END, "script"),
        (BY_A_FILE, "script"),
        (AFTER_THE_JOIN, "joined"),
        (LONG_TRAP, "joined"),
        (NEVER_STARTED, "never"),
        (PLAIN, "never"),
        ("", "never"),
    ],
)
def test_the_script_decides_when_it_signals(text: str, signal: str) -> None:
    assert user_data.read(text).signal == signal


def test_a_script_that_waits_for_the_agent_gives_up_after_its_own_time() -> None:
    read = user_data.read(AFTER_THE_JOIN)
    assert (read.patience, read.last_words) == (600.0, "cannot start")


def test_what_a_script_does_about_the_agent_and_how_long_it_waits_is_read() -> None:
    text = AFTER_THE_JOIN.replace("for attempt in $(seq 120); do", "until false; do").replace(
        "sleep 5", '[ "$(cut -d. -f1 /proc/uptime)" -ge 720 ] && exec /usr/local/sbin/say 1'
    )
    plain = user_data.read(text)
    assert (plain.deadline, plain.stops_agent, plain.configures_first) == (720.0, False, False)
    first = "echo ECS_CLUSTER=c > /etc/ecs/ecs.config\nsystemctl mask --now ecs\ndnf install -y x\n"
    careful = user_data.read(first)
    assert (careful.deadline, careful.stops_agent, careful.configures_first) == (0.0, True, True)


def test_the_agent_is_told_its_cluster_and_its_attributes() -> None:
    assert user_data.cluster(AT_THE_END) == "web"
    assert user_data.read(AT_THE_END).attributes == (("opsctl.machine", "abc"), ("rack", "1"))
    assert user_data.cluster("") == "default"


def test_the_cloudwatch_agent_sends_the_files_it_is_told_to() -> None:
    text = """{"collect_list": [
      {"file_path": "/var/log/ecs/ecs-init.log", "log_group_name": "/e",
       "log_stream_name": "{instance_id}"}]}"""
    assert user_data.collected(text) == [
        Collected("/var/log/ecs/ecs-init.log", "/e", "{instance_id}")
    ]
    assert user_data.start_log(AFTER_THE_JOIN) == "/var/log/start.log"
