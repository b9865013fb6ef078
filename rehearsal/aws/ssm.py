"""Systems Manager: the public parameters that name Debian's images."""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.ssm.models import Parameter, ParameterDict

from rehearsal.aws import images
from rehearsal.aws.patching import wraps_original

parameter: Any = Parameter

PREFIX = "/aws/service/debian/"


@wraps_original(ParameterDict, "_check_loading_status")
def _check_loading_status(original: Any, self: Any, key: str) -> None:
    """Make the parameters exist as soon as one of them is asked for, as moto does with Amazon Linux's.

    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
    """
    original(self, key)
    if not str(key or "").startswith(PREFIX) or getattr(self, "debian_loaded", False):
        return
    self.debian_loaded = True
    for name, value in images.PARAMETERS.items():
        dict.__setitem__(
            self,
            name,
            [
                parameter(
                    account_id=self.account_id,
                    name=name,
                    value=value,
                    parameter_type="String",
                    description=None,
                    allowed_pattern=None,
                    keyid=None,
                    last_modified_date=utcnow(),
                    version=1,
                    data_type="aws:ec2:image",
                )
            ],
        )
