"""A botocore loader that loads only the EC2 operations this project calls."""

from typing import Any

from botocore.loaders import Loader

from spot_optimizer.aws.iam_policy import ACTIONS


class PolicyLoader(Loader):
    """
    Drop the EC2 operations that are not in our IAM policy.

    botocore builds a method per operation for each client. EC2 has some 750 operations: building
    them took longer than all calls of an evaluation.
    """

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        model = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) != ("ec2", "service-2"):
            return model
        operations = {
            name: operation
            for name, operation in model["operations"].items()
            if f"ec2:{name}" in ACTIONS
        }
        return model | {"operations": operations}
