"""How long things take, in simulated seconds. `docs/simulation.md` has the source of each."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Timings:
    """The clocks of the simulation; a test makes its own with `Timings(pull=1.0)`."""

    # tasks
    provision: float = 1.0
    pull: float = 12.0
    start_container: float = 2.0
    activate: float = 2.0
    notice_stop: float = 1.0
    """How long a task is RUNNING still that is desired STOPPED."""
    deactivate: float = 1.0
    stop_container: float = 5.0
    answer_stop: float = 10.0
    """How long after its stop timeout the end of a real task is waited for."""
    deprovision: float = 1.0
    remember_stopped: float = 3600.0
    # the service scheduler
    schedule: float = 5.0
    prove: float = 30.0
    bake: float = 120.0
    event_silence: float = 6 * 3600.0
    backoff_start: float = 10.0
    backoff_limit: float = 900.0
    # instances
    launch_instance: float = 20.0
    start_script: float = 40.0
    join_cluster: float = 15.0
    signal: float = 5.0
    acs_session: float = 1800.0
    acs_gap: float = 4.0
    terminate_instance: float = 40.0
    retry_launch: float = 60.0
    even_out: float = 60.0
    console_post: float = 240.0
    # capacity providers
    manage_capacity: float = 60.0
    scale_in: float = 900.0
    # Application Auto Scaling
    scaling_cooldown: float = 300.0
    jitter: float = 0.2
    # the network load balancer
    register_target: float = 150.0
    # ElastiCache
    snapshot: float = 90.0
    # CloudFormation
    resource: float = 4.0
    service_wait: float = 3 * 3600.0
    resources: dict[str, float] = field(
        default_factory=lambda: {
            "AWS::ElastiCache::CacheCluster": 300.0,
            "AWS::ElastiCache::ReplicationGroup": 600.0,
            "AWS::ElasticLoadBalancingV2::LoadBalancer": 150.0,
            "AWS::IAM::InstanceProfile": 120.0,
            "AWS::IAM::Role": 18.0,
            "AWS::EC2::SecurityGroup": 6.0,
            "AWS::ECS::Cluster": 8.0,
        }
    )
