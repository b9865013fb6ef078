"""The public machine images of the emulated account, and the public parameters that name them.

Debian publishes its images under owner 136693071363 and their ids as public parameters:
https://wiki.debian.org/Cloud/AmazonEC2Image/Trixie
"""

from __future__ import annotations

from typing import Any

OWNER = "136693071363"
RELEASE = "20251117-2299"


def _image(ami_id: str, architecture: str) -> dict[str, Any]:
    name = f"debian-13-{'amd64' if architecture == 'x86_64' else architecture}-{RELEASE}"
    return {
        "ami_id": ami_id,
        "name": name,
        "description": f"Debian 13 ({RELEASE})",
        "owner_id": OWNER,
        "public": True,
        "virtualization_type": "hvm",
        "architecture": architecture,
        "image_location": f"amazon/{name}",
        "hypervisor": "xen",
        "root_device_name": "/dev/xvda",
        "root_device_type": "ebs",
    }


DEBIAN = [_image("ami-0deb1300000000a64", "x86_64"), _image("ami-0deb1300000000b64", "arm64")]
PARAMETERS = {
    f"/aws/service/debian/release/13/{release}/{architecture}": image["ami_id"]
    for architecture, image in zip(("amd64", "arm64"), DEBIAN, strict=True)
    for release in ("latest", RELEASE)
}
