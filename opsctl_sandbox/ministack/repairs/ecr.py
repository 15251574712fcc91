"""Correct ministack's ECR: pushing an existing image is refused, and a login names this registry.

`account` seeds the addresses of repositories.
"""

import base64

from ministack.services import ecr

from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure


def operations(registry: str, password: str) -> Operations:
    """`registry` is the address that answers `/v2/` with `password`: `127.0.0.1:PORT`."""
    token = base64.b64encode(f"AWS:{password}".encode()).decode()

    async def get_authorization_token(call: Call, ministack: Forward) -> Structure:
        answer = await ministack(call.parameters)
        logins = [
            {**one, "proxyEndpoint": f"http://{registry}", "authorizationToken": token}
            for one in answer["authorizationData"]
        ]
        return {**answer, "authorizationData": logins}

    return {
        ("ecr", "PutImage"): put_image,
        ("ecr", "GetAuthorizationToken"): get_authorization_token,
    }


async def put_image(call: Call, ministack: Forward) -> Structure:
    """Refuse the same manifest under the same tag with `ImageAlreadyExistsException`."""
    request = call.parameters
    tag = request.get("imageTag")
    scoped = (call.account, call.region, request["repositoryName"])
    for image in ecr._images._data.get(scoped, []):
        same = image.get("imageManifest") == request["imageManifest"]
        if same and (tag is None or tag in image.get("imageTags", ())):
            raise Refused(
                "ImageAlreadyExistsException",
                f"Image with digest '{image['imageDigest']}' and tag '{tag}' already exists in "
                f"the repository with name '{request['repositoryName']}' in registry with id "
                f"'{call.account}'",
            )
    return await ministack(request)
