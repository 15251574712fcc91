from hypothesis import given
from hypothesis import strategies as st

from opsctl.rollout import room
from opsctl.rollout.room import Instance, Requirement, TaskSize
from opsctl.snapshot.instances import ContainerInstance
from opsctl.snapshot.tasks import Task
from tests.opsctl.snapshots import OLD, snapshot

TASK = TaskSize(cpu=512, memory=400)


def instance(name: str, *, old: int, cpu: int = 2048, memory: int = 7800) -> Instance:
    """One of `cpu` and `memory` that runs `old` tasks of the described size."""
    return Instance(
        name,
        cpu - old * TASK.cpu,
        memory - old * TASK.memory,
        whole_cpu=cpu,
        whole_memory=memory,
        old=old,
    )


def need(minimum: int = 100, maximum: int = 200, desired: int = 8) -> Requirement:
    return Requirement(desired, minimum, maximum, TASK, TASK)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[Instance], Requirement]:
    task = TaskSize(draw(st.integers(64, 1024)), draw(st.integers(32, 1024)))
    old_task = TaskSize(
        draw(st.integers(64, 1024)),
        draw(st.integers(32, 1024)),
        draw(st.sampled_from([frozenset(), frozenset({80})])),
    )
    task = TaskSize(task.cpu, task.memory, old_task.ports)
    instances = []
    for number in range(draw(st.integers(0, 4))):
        old = draw(st.integers(0, 1 if old_task.ports else 4))
        cpu, memory = draw(st.integers(0, 4096)), draw(st.integers(0, 4096))
        instances.append(
            Instance(
                f"i-{number}",
                cpu,
                memory,
                old_task.ports if old else frozenset(),
                cpu + old * old_task.cpu,
                memory + old * old_task.memory,
                old=old,
            )
        )
    desired = sum(one.old for one in instances) or draw(st.integers(1, 8))
    percents = draw(st.integers(0, 100)), draw(st.integers(100, 200))
    return instances, Requirement(desired, *percents, task, old_task)


def test_the_described_system_on_two_large_instances_rolls_in_waves() -> None:
    # 8 x 512 on two instances of 2048: not one more fits.
    full = [instance("a", old=4), instance("b", old=4)]
    stuck = room.forecast(full, need())
    assert stuck.lack == "cpu" and stuck.room == 0
    assert "`ecs.minimum_healthy_percent: 85`" in stuck.choices
    assert "`compute.maximum: 3`" in stuck.choices


def test_a_bigger_fleet_the_group_already_allows_is_said_as_desired() -> None:
    full = [instance("a", old=4), instance("b", old=4)]
    assert "`compute.desired: 3`" in room.forecast(full, need(), desired=2, maximum=3).choices


def test_an_instance_that_is_missing_is_no_reason_to_ask_for_more() -> None:
    alone = [instance("a", old=4)]
    choices = room.forecast(alone, need(desired=4), desired=2, maximum=2).choices
    assert "all 2 instances of `compute.desired` (1 take tasks)" in choices


def test_room_for_three_makes_three_waves() -> None:
    fleet = [instance("a", old=4, cpu=3 * 512 + 2048), instance("b", old=4)]
    found = room.forecast(fleet, need())
    assert (found.room, found.waves, found.lack) == (3, (3, 3, 2), None)


def test_a_first_release_needs_no_old_task_to_leave() -> None:
    found = room.forecast([instance("a", old=0), instance("b", old=0)], need())
    assert (found.waves, found.lack) == ((8,), None)


def test_an_empty_cluster_lacks_instances() -> None:
    assert room.forecast([], need()).lack == "instances"


def test_a_fixed_port_needs_an_old_task_to_leave_first() -> None:
    task = TaskSize(512, 400, frozenset({8082}))
    fleet = [Instance("a", 1024, 2000, frozenset({8082}), 1536, 2400, old=1)]
    found = room.forecast(fleet, Requirement(1, 100, 200, task, task))
    assert found.lack == "ports"
    assert found.choices[0] == "`ecs.minimum_healthy_percent: 0`"


def test_a_maximum_of_one_hundred_is_named_when_it_is_what_hinders() -> None:
    fleet = [instance("a", old=4, cpu=8192), instance("b", old=4)]
    found = room.forecast(fleet, need(maximum=100))
    assert found.lack == "limits"
    assert "`ecs.maximum_percent: 200`" in found.choices


@given(fleets())
def test_no_step_breaks_a_limit_or_overfills_an_instance(
    fleet: tuple[list[Instance], Requirement],
) -> None:
    instances, asked = fleet
    running = sum(one.old for one in instances)
    for step in room.roll(instances, asked):
        tasks = sum(one.old + one.new for one in step.instances)
        if step.action == "stop":
            assert tasks >= min(running, asked.minimum)
        else:
            assert tasks <= max(running, asked.maximum)
        for one in step.instances:
            assert one.cpu >= 0 and one.memory >= 0 and one.old >= 0


@given(fleets())
def test_it_rolls_everything_or_says_what_is_missing(
    fleet: tuple[list[Instance], Requirement],
) -> None:
    found = room.forecast(*fleet)
    if found.can_roll:
        assert sum(found.waves) == fleet[1].desired and not found.choices
    else:
        assert sum(found.waves) < fleet[1].desired


@given(fleets())
def test_more_room_never_hinders(fleet: tuple[list[Instance], Requirement]) -> None:
    instances, asked = fleet
    if room.forecast(instances, asked).can_roll:
        empty = Instance("more", 8192, 8192)
        assert room.forecast([*instances, empty], asked).can_roll


def test_a_task_that_starts_takes_its_room_and_can_be_replaced_like_any_other() -> None:
    # Somebody else's roll is half-way: eight tasks run and eight start on two full instances.
    full = tuple(ContainerInstance(f"arn:{n}", f"i-{n}", "ACTIVE", True) for n in range(2))
    tasks = tuple(
        Task(f"t{n}", "RUNNING" if n < 8 else "PENDING", OLD, "d1", f"arn:{n % 2}")
        for n in range(16)
    )
    instances = room.instances(snapshot(instances=full, tasks=tasks))
    assert [one.old for one in instances] == [8, 8]
    assert room.forecast(instances, need()).can_roll


def test_only_instances_that_take_tasks_are_room() -> None:
    states = (("ACTIVE", True), ("ACTIVE", False), ("DRAINING", True))
    instances = tuple(
        ContainerInstance(f"arn:{n}", f"i-{n}", status, connected, 1024, 3000)
        for n, (status, connected) in enumerate(states)
    )
    [only] = room.instances(snapshot(instances=instances))
    assert (only.id, only.cpu, only.memory) == ("i-0", 1024, 3000)
