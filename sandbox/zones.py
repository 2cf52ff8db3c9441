from spot_optimizer.aws.clients import Access, Deadline
from spot_optimizer.aws.zones import zone_ids


def names_by_id(access: Access, *, deadline: Deadline) -> dict[str, str]:
    """
    Return the account's own zone names by zone id.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    return {zone_id: name for name, zone_id in zone_ids(access, deadline=deadline).items()}
