import pytest

from spot_optimizer.emulator.tests.builders import all_of, refused

REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")


def the_instance(emulator, aws, instance_type):
    """Return the demo instance of a type, as EC2 describes it."""
    known = next(i for i in emulator.instances() if i["instance_type"] == instance_type)
    response = aws("ec2", known["region"]).describe_instances(InstanceIds=[known["instance_id"]])
    return response["Reservations"][0]["Instances"][0]


class TestDescribeInstances:
    def test_lists_the_instances_of_the_region(self, emulator, aws):
        response = aws("ec2", "eu-west-1").describe_instances()

        instances = [i for r in response["Reservations"] for i in r["Instances"]]
        here = {i["instance_id"] for i in emulator.instances() if i["region"] == "eu-west-1"}
        assert {i["InstanceId"] for i in instances} == here

    def test_returns_the_lifecycle_and_request_of_a_spot_instance(self, emulator, aws):
        instance = the_instance(emulator, aws, "r5.2xlarge")

        assert instance["InstanceLifecycle"] == "spot"
        assert instance["SpotInstanceRequestId"].startswith("sir-")
        assert instance["Placement"]["AvailabilityZone"] == "eu-west-1a"

    def test_returns_the_attributes_that_a_replacement_depends_on(self, emulator, aws):
        instance = the_instance(emulator, aws, "m6g.large")

        assert "InstanceLifecycle" not in instance
        assert instance["Architecture"] == "arm64"
        assert instance["VirtualizationType"] == "hvm"
        assert instance["EnaSupport"] is True
        assert instance["BootMode"] == instance["CurrentInstanceBootMode"] == "uefi"
        assert instance["PlatformDetails"] == "Linux/UNIX"

    def test_an_unknown_instance_is_not_found(self, aws):
        with refused("InvalidInstanceID.NotFound", 400):
            aws("ec2").describe_instances(InstanceIds=["i-0123456789abcdef0"])
        with refused("InvalidInstanceID.Malformed", 400):
            aws("ec2").describe_instances(InstanceIds=["my-server"])

    def test_dry_run_fails_with_dry_run_operation(self, aws):
        with refused("DryRunOperation", 412):
            aws("ec2").describe_instances(DryRun=True)

    def test_refuses_a_region_that_the_emulator_does_not_have(self, aws):
        with refused("OptInRequired", 401):
            aws("ec2", "us-west-2").describe_instances()


class TestDescribeInstanceTypes:
    def test_returns_the_real_facts_of_a_type(self, aws):
        response = aws("ec2").describe_instance_types(InstanceTypes=["c5.xlarge"])

        facts = response["InstanceTypes"][0]
        assert facts["VCpuInfo"]["DefaultVCpus"] == 4
        assert facts["MemoryInfo"]["SizeInMiB"] == 8192
        assert facts["ProcessorInfo"]["SupportedArchitectures"] == ["x86_64"]

    def test_pages_through_several_hundred_types(self, aws):
        ec2 = aws("ec2")
        first = ec2.describe_instance_types()

        names = [t["InstanceType"] for t in all_of(ec2, "describe_instance_types", "InstanceTypes")]

        assert len(first["InstanceTypes"]) == 100
        assert len(names) == len(set(names)) > 500

    def test_filters(self, aws):
        wanted = {
            "processor-info.supported-architecture": ["arm64"],
            "vcpu-info.default-vcpus": ["2", "4"],
            "bare-metal": ["false"],
            "supported-usage-class": ["spot"],
            "current-generation": ["true"],
        }

        types = all_of(
            aws("ec2"),
            "describe_instance_types",
            "InstanceTypes",
            Filters=[{"Name": name, "Values": values} for name, values in wanted.items()],
        )

        assert len(types) > 20
        assert {t["VCpuInfo"]["DefaultVCpus"] for t in types} == {2, 4}
        assert all("spot" in t["SupportedUsageClasses"] for t in types)
        assert all(t["ProcessorInfo"]["SupportedArchitectures"] == ["arm64"] for t in types)
        assert all(t["CurrentGeneration"] and not t["BareMetal"] for t in types)

    def test_refuses_a_type_that_does_not_exist(self, aws):
        with refused("InvalidInstanceType", 400):
            aws("ec2").describe_instance_types(InstanceTypes=["m5.tiny"])

    def test_refuses_a_filter_that_does_not_exist(self, aws):
        with refused("InvalidParameterValue", 400):
            aws("ec2").describe_instance_types(Filters=[{"Name": "color", "Values": ["red"]}])

    def test_refuses_an_invalid_token(self, aws):
        with refused("InvalidNextToken", 400):
            aws("ec2").describe_instance_types(NextToken="bm9uc2Vuc2U=")


class TestZones:
    @pytest.mark.parametrize("region", REGIONS)
    def test_a_region_has_three_with_names_and_ids(self, aws, region):
        zones = aws("ec2", region).describe_availability_zones()["AvailabilityZones"]

        assert [z["ZoneName"] for z in zones] == [f"{region}{letter}" for letter in "abc"]
        assert len({z["ZoneId"] for z in zones}) == 3

    def test_offerings_are_in_the_regions_zones(self, aws):
        offerings = all_of(
            aws("ec2"),
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": ["m5.large", "c5.*"]}],
        )

        assert {o["Location"] for o in offerings} == {"us-east-1a", "us-east-1b", "us-east-1c"}
        families = {o["InstanceType"].partition(".")[0] for o in offerings}
        assert families == {"m5", "c5"}


class TestSpotRequests:
    def test_are_fulfilled_while_their_instances_run(self, emulator, aws):
        response = aws("ec2").describe_spot_instance_requests()

        here = {i["instance_id"] for i in emulator.instances("spot") if i["region"] == "us-east-1"}
        assert {r["InstanceId"] for r in response["SpotInstanceRequests"]} == here
        assert {r["Status"]["Code"] for r in response["SpotInstanceRequests"]} == {"fulfilled"}
        assert {r["State"] for r in response["SpotInstanceRequests"]} == {"active"}

    def test_are_found_by_the_instances_request_id(self, emulator, aws):
        instance = the_instance(emulator, aws, "g4dn.xlarge")

        response = aws("ec2").describe_spot_instance_requests(
            SpotInstanceRequestIds=[instance["SpotInstanceRequestId"]]
        )

        [request] = response["SpotInstanceRequests"]
        assert request["InstanceId"] == instance["InstanceId"]

    def test_refuses_an_id_that_does_not_exist(self, aws):
        with refused("InvalidSpotInstanceRequestID.NotFound", 400):
            aws("ec2").describe_spot_instance_requests(SpotInstanceRequestIds=["sir-00000000"])
