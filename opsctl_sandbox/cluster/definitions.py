"""Read the numbers of a task definition from its document, which is kept whole."""

from opsctl_sandbox.cluster.values import ContainerPort, Document, TaskDefinition


def read(document: Document, arn: str, revision: int) -> TaskDefinition:
    """Return the definition. CPU and memory are the task's own, else its containers' sums."""
    containers = document.get("containerDefinitions", ())
    cpu = int(document.get("cpu") or sum(int(c.get("cpu") or 0) for c in containers))
    memory = int(
        document.get("memory")
        or sum(int(c.get("memoryReservation") or c.get("memory") or 0) for c in containers)
    )
    # In host mode the host port is the container port; in bridge mode 0 or none means dynamic.
    host_mode = document.get("networkMode") == "host"
    ports = tuple(
        ContainerPort(
            c["name"],
            int(m["containerPort"]),
            int(m.get("hostPort") or (m["containerPort"] if host_mode else 0)),
        )
        for c in containers
        for m in c.get("portMappings", ())
    )
    return TaskDefinition(arn, str(document["family"]), revision, cpu, memory, ports, document)
