"""What each metric means, in a sentence or two. Values only."""

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "CPUReservation": "CPU units that tasks have reserved, of all that the instances have. Near "
    "100 % a roll finds no room; room on one instance matters, not the sum: opsctl status",
    "MemoryReservation": "Memory that tasks have reserved. Near 100 % a roll finds no room.",
    "CPUUtilization": "CPU in use. A service's is a share of what its tasks reserve and can pass "
    "100 %; on a cache node of 1 or 2 cores it is the engine's measure.",
    "MemoryUtilization": "Memory in use. A task that passes its hard limit is killed (exit 137).",
    "RunningTasks": "Tasks that run: each sends one sample of CPUUtilization a minute.",
    "HealthyHostCount": "Targets that answer. 0 is an outage; without any target there is no data.",
    "UnHealthyHostCount": "Targets that do not answer: a task runs, its service did not come up.",
    "ActiveFlowCount": "Open connections through the load balancer.",
    "NewFlowCount": "New connections. A Network Load Balancer counts no requests.",
    "ProcessedBytes": "Traffic through the load balancer, both ways.",
    "UnhealthyRoutingFlowCount": "Connections sent to unhealthy targets, because none is healthy. "
    "Sent only while it is not zero.",
    "TCP_Target_Reset_Count": "Connections that tasks reset: a service that dies or is too busy.",
    "TCP_ELB_Reset_Count": "Connections that the load balancer reset: idle ones, or to targets "
    "that went.",
    "PortAllocationErrorCount": "Connections that found no source port: too many to one target.",
    "EngineCPUUtilization": "CPU of Redis' one thread. Over 90 % everything waits, whatever "
    "CPUUtilization says.",
    "DatabaseMemoryUsagePercentage": "Memory of the cache in use. At 100 % it evicts, or refuses "
    "writes, as its parameter group says.",
    "FreeableMemory": "Memory that the node has left.",
    "SwapUsage": "Swap in use. More than FreeableMemory is pressure.",
    "CurrConnections": "Connections to the node, of 65,000. One that only rises is a leak.",
    "NewConnections": "New connections. Many beside few open ones: a client without a pool.",
    "CurrItems": "Keys in the cache. A fall to 0 is a cache that was emptied or replaced.",
    "CacheHitRate": "Reads that found something. A fall after a release: other keys, or a cold "
    "cache.",
    "Evictions": "Keys that were forgotten for lack of memory.",
    "HashBasedCmdsLatency": "How long HGETALL and its kind take inside Redis. Tens of µs are "
    "usual; the network is not in it.",
    "NetworkBandwidthInAllowanceExceeded": "Packets held back because the node takes in more than "
    "its type allows: latency without CPU.",
    "NetworkBandwidthOutAllowanceExceeded": "Packets held back because the node sends more than "
    "its type allows: latency without CPU.",
    "NetworkConntrackAllowanceExceeded": "Packets dropped: too many connections are tracked.",
    "ReplicationLag": "Seconds that a replica is behind its primary. A primary has none.",
    "IncomingLogEvents": "Lines that CloudWatch took in. None from the agent: it is silent; many: "
    "somebody logs in a loop.",
    "IncomingBytes": "Bytes of these lines: what CloudWatch Logs bills.",
    "GroupDesiredCapacity": "Instances that the Auto Scaling group shall have.",
    "GroupInServiceInstances": "Instances that it has. Fewer for long: they cannot be launched.",
    "StatusCheckFailed": "1: an instance or its host fails EC2's checks.",
}
