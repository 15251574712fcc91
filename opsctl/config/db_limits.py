"""Find what ElastiCache would refuse of the section `db`."""

import re
from collections.abc import Callable, Iterator

from opsctl.config.elasticache import ENGINE_VERSIONS, NODE_TYPES, is_listed
from opsctl.config.finding import Finding
from opsctl.config.model import Config, Db
from opsctl.errors import nearest
from opsctl.plural import counted

# The ids of users and of their group have 40 characters at most: aws-cdk#36459.
_NAME_WITH_USERS = 40 - len("-nobody")
_MOST_NODES = 500  # per replication group, since engine 5.0.6


def check(config: Config) -> Iterator[Finding]:
    for rule in _RULES:
        yield from rule(config)


def _versions(config: Config) -> Iterator[Finding]:
    db = config.db
    region = config.aws.region
    if db.node_type not in NODE_TYPES:
        yield _node_type(db.node_type)
    elif region is not None and not is_listed(db.node_type, region):
        text = f"AWS's price list had no `{db.node_type}` in {region}; cache.m6g and r6g are there"
        yield Finding(("db", "node_type"), text, refuses=False)
    versions = ENGINE_VERSIONS[db.engine]
    if db.version not in versions:
        yield Finding(
            ("db", "engine_version"),
            f"found `{db.version}`, allowed for {db.engine}: {', '.join(versions)}",
        )
    else:
        yield from _parameter_group(db)
    if db.kind == "cluster":
        yield from _single_cluster(config)
    else:
        yield from _shards(db)


def _node_type(name: str) -> Finding:
    path = ("db", "node_type")
    if name.startswith("cache.r6gd."):
        # botocore: DataTieringEnabled "must be set to true when using r6gd nodes".
        text = f"`{name}` needs data tiering, which no stack here has"
        return Finding(path, f"{text}; take cache.r6g or cache.r7g")
    near = nearest(name, NODE_TYPES) or "cache.t4g.micro"
    return Finding(path, f"found `{name}`, allowed: a node type that AWS sells, such as {near}")


def _single_cluster(config: Config) -> Iterator[Finding]:
    db, group = config.db, "; set `db.kind: replication_group`"
    if db.nodes != 1:
        yield Finding(("db", "nodes"), f"a redis cluster has exactly 1 node{group}")
    if db.engine != "redis":
        yield Finding(("db", "engine"), f"a single cluster cannot run {db.engine}{group}")
    if db.password is not None:
        yield Finding(("db", "password"), f"a single cluster has no password{group}")
    if db.shards is not None or db.cluster_mode is not None:
        key = "shards" if db.shards is not None else "cluster_mode"
        yield Finding(("db", key), f"a single cluster has no cluster mode{group}")


def _parameter_group(db: Db) -> Iterator[Finding]:
    """AWS's own groups are of one engine version, in cluster mode or not."""
    name = db.parameter_group
    if name is None or not name.startswith("default."):
        return
    own, clustered = f"default.{db.engine}{db.family}", name.endswith(".cluster.on")
    if name.removesuffix(".cluster.on") != own:
        yield Finding(
            ("db", "parameter_group"), f"`{name}` is not for {db.engine} {db.version}, `{own}` is"
        )
    elif clustered and not db.has_cluster_parameters:
        yield Finding(("db", "parameter_group"), f"`{name}` needs cluster mode; set `db.shards`")
    elif db.has_cluster_parameters and not clustered:
        needed = f"{db.shards} shards need" if db.shards else f"`{db.cluster_mode}` needs"
        text = f"{needed} `{own}.cluster.on`; or leave it out"
        yield Finding(("db", "parameter_group"), text)


def _shards(db: Db) -> Iterator[Finding]:
    if db.shards is None:
        if db.cluster_mode == "enabled":
            yield Finding(("db", "cluster_mode"), "`enabled` needs `db.shards`")
        return
    compatible = db.shards == 1 and db.cluster_mode == "compatible"
    if db.cluster_mode not in (None, "enabled") and not compatible:
        text = f"{counted(db.shards, 'shard')} need cluster mode; leave `db.cluster_mode` out"
        yield Finding(("db", "cluster_mode"), text)
    if db.nodes == 1:
        text = (
            "shards without a replica fail over to nothing, and AWS may refuse later changes; "
            "`db.nodes: 2` gives each one"
        )
        yield Finding(("db", "nodes"), text, refuses=False)
    if db.total_nodes > _MOST_NODES:
        text = f"{db.shards} shards of {db.nodes} nodes are more than AWS allows: {_MOST_NODES}"
        yield Finding(("db", "shards"), text)


def _nodes(config: Config) -> Iterator[Finding]:
    db = config.db
    if db.availability_zone is not None and db.total_nodes > 1:
        text = f"is for a single node, and this cache has {db.total_nodes}; leave it out"
        yield Finding(("db", "availability_zone"), text)
    old = db.engine == "redis" and int(db.version.partition(".")[0]) < 7
    if db.cluster_mode == "compatible" and db.shards in (None, 1) and (old or db.nodes < 2):
        # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/modify-cluster-mode.html
        text = "`compatible` needs redis 7.0 or later, or valkey, and `db.nodes: 2`; here are"
        yield Finding(("db", "cluster_mode"), f"{text} {db.engine} {db.version} and {db.nodes}")


def _login(config: Config) -> Iterator[Finding]:
    db = config.db
    if db.user is not None and db.password is None:
        yield Finding(("db", "user"), "a user needs `db.password`, a reference")
    if db.password is not None and db.password.startswith("env:"):
        yield Finding(("db", "password"), "`env:` works locally only; take ssm: or secretsmanager:")
    if db.user is not None and (db.password or "").startswith("ssm:"):
        yield Finding(("db", "password"), "a user's password must be a secretsmanager: reference")
    if db.password is not None and not db.encryption_in_transit:
        yield Finding(("db", "encryption_in_transit"), "a password needs encryption in transit")
    if db.user is not None:
        yield from _user(db)


def _user(db: Db) -> Iterator[Finding]:
    if len(db.name) > _NAME_WITH_USERS:
        text = f"`{db.name}` has {len(db.name)} characters; the group of its users is named after"
        yield Finding(("db", "name"), f"{text} it, and {_NAME_WITH_USERS} are left")
    if not re.fullmatch(r"[!-~]+", db.user or ""):
        yield Finding(("db", "user"), f"found `{db.user}`, allowed: printable ASCII without spaces")
    if db.engine == "redis" and db.user == "default":
        # The template has one already, because a user group must; it can do nothing.
        yield Finding(("db", "user"), "`default` is the user that the stack disables; take another")
    if db.engine == "redis" and db.version.startswith("5"):
        # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
        yield Finding(("db", "user"), f"users need redis 6.0 or later, and this is {db.version}")


def _window(config: Config) -> Iterator[Finding]:
    window = config.db.maintenance_window
    if window is not None and not 60 <= _minutes(window) <= 24 * 60:
        text = (
            f"`{window}` is {_minutes(window)} minutes long; AWS wants 60 at least, a day at most"
        )
        yield Finding(("db", "maintenance_window"), text)


def _minutes(window: str) -> int:
    """How long it is: `sun:23:00-mon:00:30` is 90."""
    days = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    begin, end = (
        (days.index(day) * 24 + int(hour)) * 60 + int(minute)
        for day, hour, minute in (one.split(":") for one in window.split("-"))
    )
    return (end - begin) % (7 * 24 * 60)


_RULES: tuple[Callable[[Config], Iterator[Finding]], ...] = (_versions, _nodes, _login, _window)
