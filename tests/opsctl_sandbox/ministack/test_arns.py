"""What IAM would compare for a call: one case for each way to name a resource."""

from typing import Any

import pytest

from opsctl_sandbox.ministack import arns
from opsctl_sandbox.wire.calls import Call

EAST = "us-east-1:1"
CASES: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("ecs", "UpdateService", {"cluster": "c", "service": "s"}, [f"ecs:{EAST}:service/c/s"]),
    ("ecs", "DescribeServices", {"cluster": "arn:aws:ecs:x:1:cluster/c", "services": ["a", "b"]},
     [f"ecs:{EAST}:service/c/a", f"ecs:{EAST}:service/c/b"]),
    ("ecs", "StopTask", {"cluster": "c", "task": "t"}, [f"ecs:{EAST}:task/c/t"]),
    ("ecs", "ListContainerInstances", {"cluster": "c"}, [f"ecs:{EAST}:cluster/c"]),
    ("ecs", "ListTasks", {"cluster": "c", "serviceName": "s"}, []),
    ("ecs", "RegisterTaskDefinition", {"family": "f"}, [f"ecs:{EAST}:task-definition/f:*"]),
    ("cloudformation", "DescribeStacks", {"StackName": "x-ecs"},
     [f"cloudformation:{EAST}:stack/x-ecs/*"]),
    ("cloudformation", "DescribeStacks", {}, [f"cloudformation:{EAST}:stack/*/*"]),
    ("ecr", "DescribeRepositories", {}, [f"ecr:{EAST}:repository/*"]),
    ("elasticache", "CreateSnapshot", {"CacheClusterId": "c", "SnapshotName": "s"},
     [f"elasticache:{EAST}:cluster:c", f"elasticache:{EAST}:snapshot:s"]),
    ("elasticache", "DescribeCacheClusters", {}, [f"elasticache:{EAST}:cluster:*"]),
    ("elasticache", "DescribeSnapshots", {"CacheClusterId": "c"},
     [f"elasticache:{EAST}:snapshot:*"]),
    ("monitoring", "DescribeAlarms", {"AlarmNamePrefix": "a"}, [f"cloudwatch:{EAST}:alarm:*"]),
    ("monitoring", "DescribeAlarmHistory", {}, [f"cloudwatch:{EAST}:alarm:*"]),
    ("monitoring", "PutMetricAlarm", {"AlarmName": "a"}, [f"cloudwatch:{EAST}:alarm:a"]),
    ("monitoring", "GetMetricData", {}, []),
    ("logs", "FilterLogEvents", {"logGroupName": "/x"}, [f"logs:{EAST}:log-group:/x:log-stream:"]),
    ("logs", "GetLogEvents", {"logGroupName": "/x", "logStreamName": "s"},
     [f"logs:{EAST}:log-group:/x:log-stream:s"]),
    ("ssm", "GetParametersByPath", {"Path": "/opsctl/x"}, [f"ssm:{EAST}:parameter/opsctl/x"]),
    ("ssm", "GetParameters", {"Names": ["/a", "b"]},
     [f"ssm:{EAST}:parameter/a", f"ssm:{EAST}:parameter/b"]),
    ("secretsmanager", "GetSecretValue", {"SecretId": "x"},
     [f"secretsmanager:{EAST}:secret:x-AbCdEf"]),
    ("elasticloadbalancing", "DescribeTargetHealth", {"TargetGroupArn": "arn:aws:x"}, []),
    ("autoscaling", "SetDesiredCapacity", {"AutoScalingGroupName": "g"},
     [f"autoscaling:{EAST}:autoScalingGroup::autoScalingGroupName/g"]),
    ("iam", "AddRoleToInstanceProfile", {"RoleName": "r", "InstanceProfileName": "p"},
     ["iam::1:instance-profile/p"]),
    ("s3", "PutObject", {"Bucket": "b", "Key": "k/l"}, ["s3:::b/k/l"]),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), CASES)
def test_a_call_names_its_resources(
    service: str, operation: str, parameters: dict[str, Any], expected: list[str]
) -> None:
    call = Call(service, operation, parameters, "us-east-1", "1")
    assert arns.of(call) == [f"arn:aws:{one}" for one in expected]
