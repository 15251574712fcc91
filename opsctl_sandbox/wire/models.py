"""botocore's own service models: the shapes of each operation."""

import re
from functools import cache

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, ServiceModel

# Signing name -> botocore's name, if they differ.
_BOTOCORE_NAMES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
}

_FILTER = re.compile(r"<li>\s*(?:<p>)?\s*<code>([^<]+)</code>")


@cache
def service(signing_name: str) -> ServiceModel | None:
    try:
        return _session().get_service_model(_BOTOCORE_NAMES.get(signing_name, signing_name))
    except UnknownServiceError:
        return None


@cache
def operation(signing_name: str, name: str) -> OperationModel | None:
    model = service(signing_name)
    if model is None or name not in model.operation_names:
        return None
    return model.operation_model(name)


def operations(signing_name: str) -> frozenset[str]:
    """Return every operation of a service."""
    model = service(signing_name)
    return frozenset(model.operation_names if model else ())


def values(signing_name: str, shape: str) -> frozenset[str]:
    """Return the values that a text of this shape may have."""
    model = service(signing_name)
    return frozenset(getattr(model.shape_for(shape), "enum", ()) if model else ())


@cache
def filters(model: OperationModel) -> frozenset[str]:
    """Return the names of an EC2 operation's filters; only its documentation lists them."""
    shape = model.input_shape.members.get("Filters") if model.input_shape else None
    return frozenset(_FILTER.findall(shape.documentation)) if shape is not None else frozenset()


@cache
def signing_name(target_prefix: str) -> str | None:
    """Return the service of an unsigned JSON call, by its `X-Amz-Target`."""
    for name in ("ecs", "logs", "ecr", "ssm", "secretsmanager", "monitoring", "tagging"):
        model = service(name)
        if model is not None and model.metadata.get("targetPrefix") == target_prefix:
            return name
    return None


@cache
def paginator(signing_name: str, operation: str) -> dict[str, str]:
    """Return `input_token`, `output_token`, `limit_key` and `result_key` of a paged list."""
    name = _BOTOCORE_NAMES.get(signing_name, signing_name)
    loader = _session().get_component("data_loader")
    keys = loader.load_service_model(name, "paginators-1")["pagination"][operation]
    results = keys["result_key"]
    first = results if isinstance(results, str) else results[0]
    return {"limit_key": "MaxRecords", **keys, "result_key": first}


@cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()
