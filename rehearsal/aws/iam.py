"""IAM and STS: which account a request belongs to, and AWS managed policies held once for all accounts."""

from __future__ import annotations

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam import models

from rehearsal.aws.patching import replaces


@replaces(models)
def get_account_id_from(access_key: str) -> str:
    """The account of an access key, looked up in the standard partition only.

    moto looks into every partition and thereby makes an IAM backend with all managed policies for each of them.
    """
    for account_id, partitions in list(models.iam_backends.items()):
        if access_key in partitions["aws"].access_keys:
            return str(account_id)
    return DEFAULT_ACCOUNT_ID
