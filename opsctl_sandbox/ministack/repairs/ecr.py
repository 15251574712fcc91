"""Correct ministack's ECR: pushing an existing image is refused, so is deleting an image that an
index names, and a login names this registry.

`account` seeds the addresses of repositories.
"""

import base64
import json

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
        ("ecr", "BatchDeleteImage"): batch_delete_image,
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


async def batch_delete_image(call: Call, ministack: Forward) -> Structure:
    """Keep images that an index in the repository names, also one that this call deletes."""
    request = call.parameters
    images = ecr._images._data.get((call.account, call.region, request["repositoryName"]), [])
    held = {one: image["imageDigest"] for image in images for one in _children(image)}
    refused = []
    for wanted in request["imageIds"]:
        digest = wanted.get("imageDigest") or _tagged(images, wanted.get("imageTag"))
        if digest in held:
            reason = f"Requested image referenced by manifest list: [{held[digest]}]"
            refused.append(
                {
                    "imageId": wanted,
                    "failureCode": "ImageReferencedByManifestList",
                    "failureReason": reason,
                }
            )
    kept = [one["imageId"] for one in refused]
    free = [one for one in request["imageIds"] if one not in kept]
    answer = await ministack({**request, "imageIds": free})
    return {**answer, "failures": [*answer.get("failures", ()), *refused]}


def _children(image: Structure) -> list[str]:
    """Return the digests that an index names."""
    try:
        manifest = json.loads(image.get("imageManifest") or "{}")
    except ValueError:
        return []
    return [str(one.get("digest")) for one in manifest.get("manifests", ())]


def _tagged(images: list[Structure], tag: str | None) -> str:
    named = (one["imageDigest"] for one in images if tag and tag in one.get("imageTags", ()))
    return next(named, "")
