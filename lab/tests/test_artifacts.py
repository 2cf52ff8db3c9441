import json

import pytest

from lab import services
from lab.models import Artifact, InstanceConfig, ModelRegistry
from lab.registry.artifacts import SHIPPED, ModelUnusable, load_registered, read, registration
from lab.registry.selection import model_for
from lab.testing import a_challenger, an_artifact
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
SHARES = [0.025, 0.075, 0.125, 0.175, 0.3]


def changed(**fields):
    return json.dumps(json.loads(an_artifact()) | fields).encode()


# Invalid artifacts, each with a part of its error message.
BROKEN = {
    "nothing": (b"", "not JSON"),
    "a pickle": (b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00.", "not JSON"),
    "text": (b"import os", "not JSON"),
    "not UTF-8": (b'{"kind": "\xff"}', "not JSON"),
    "deep nesting": (b"[" * 100_000 + b"]" * 100_000, "not JSON"),
    "more than 32 MiB": (b" " * (32 * 1024 * 1024 + 1), "32 MiB"),
    "a list": (b"[1]", "not a JSON object"),
    "a number": (b"1", "not a JSON object"),
    "an empty object": (b"{}", "model"),
    "something more": (changed(code="x"), "nothing else"),
    "an unknown kind": (changed(kind="neural"), "kind"),
    "another horizon": (changed(horizon_hours=24), "horizon_hours"),
    "wrong feature names": (changed(features=["advisor_band", "moon"]), "features"),
    "no feature names": (changed(features=7), "features"),
    "no parameters": (changed(parameters={}), "parameters"),
    "NaN": (an_artifact(hours_per_month=float("nan")), "finite"),
    "NaN in a list": (an_artifact(monthly_share=[*SHARES[:4], float("nan")]), "finite"),
    "infinity": (an_artifact(family_stress_doublings=float("inf")), "finite"),
    "a number too large": (an_artifact().replace(b"730.0", b"1e999"), "finite"),
    "a number of 5000 digits": (an_artifact().replace(b"730.0", b"7" * 5000), "not JSON"),
    "text for a number": (an_artifact(hours_per_month="730"), "not a number"),
    "true for a number": (an_artifact(hours_per_month=True), "not a number"),
    "a share above one": (an_artifact(monthly_share=[*SHARES[:4], 1.5]), "monthly_share"),
    "too few shares": (an_artifact(monthly_share=SHARES[:4]), "monthly_share"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
class TestInvalidArtifact:
    def test_is_refused_and_nothing_is_stored(self, content, message):
        with pytest.raises(services.UnsafeArtifact, match=message) as refusal:
            services.register_model(content=content, name="bad", version="1", by=None, now=NOON)

        assert refusal.value.code == "unsafe_artifact"
        assert not ModelRegistry.objects.filter(name="bad").exists()
        assert not Artifact.objects.exists()

    def test_is_not_loaded_in_place_of_the_registered_bytes(self, content, message):
        model = a_challenger()
        Artifact.objects.update(content=content)

        with pytest.raises(ModelUnusable, match="checksums differ"):
            load_registered(model)

    def test_is_not_loaded_even_with_the_right_checksum(self, content, message, tmp_path, settings):
        path = tmp_path / "model.json"
        path.write_bytes(content)
        settings.RISK_MODEL_PATH = str(path)

        choice = model_for(InstanceConfig())

        assert choice.model.name == "advisor-prior"
        assert message in choice.fallback["reason"]


class TestRegistering:
    def test_stores_the_bytes_under_their_checksum(self):
        content = an_artifact()

        model = a_challenger(content=content)

        assert read(model.artifact) == content
        assert load_registered(model).sha256 == model.sha256
        assert model.stage == "challenger"

    def test_stores_the_bytes_of_two_versions_once(self):
        content = an_artifact()

        first, second = a_challenger(content=content), a_challenger(content=content)

        assert first.artifact == second.artifact
        assert Artifact.objects.count() == 1

    def test_a_version_is_registered_once(self):
        a_challenger(name="same", version="1")

        with pytest.raises(services.ModelExists):
            a_challenger(name="same", version="1", content=an_artifact(hours_per_month=700))

        assert Artifact.objects.count() == 1

    def test_migrations_register_the_same_fields_as_the_service(self):
        for model in ModelRegistry.objects.all():
            fields = registration(
                content=read(model.artifact),
                name=model.name,
                version=model.version,
                artifact=model.artifact,
            )

            assert {name: getattr(model, name) for name in fields} == fields


class TestLoading:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"artifact": "package:nowhere.json"}, "cannot be read"),
            ({"artifact": "/nowhere/model.json"}, "cannot be read"),
            ({"artifact": "/dev/null"}, "not a JSON artifact"),
            ({"artifact": "package:model.pkl"}, "can run code"),
            ({"artifact": "stored:" + "0" * 64}, "no longer stored"),
            ({"sha256": "0" * 64}, "checksums differ"),
            ({"feature_names": ["advisor_band"]}, "other features"),
        ],
    )
    def test_the_error_names_the_cause(self, fields, message):
        model = ModelRegistry(**{**a_champions_fields(), **fields})

        with pytest.raises(ModelUnusable, match=message):
            load_registered(model)

    def test_one_changed_byte_is_detected(self):
        model = a_challenger()
        content = bytearray(Artifact.objects.get().content)
        content[-1] ^= 1
        Artifact.objects.update(content=bytes(content))

        with pytest.raises(ModelUnusable, match="checksums differ"):
            load_registered(model)


class TestModelFor:
    def test_prefers_the_requested_the_assigned_the_local_and_then_the_champion(self, settings):
        requested, assigned = a_challenger(), a_challenger()
        config = InstanceConfig(assigned_model=assigned)
        champion = ModelRegistry.objects.get(stage="champion")

        assert model_for(config, requested=requested).model.id == str(requested.pk)
        assert model_for(config).model.id == str(assigned.pk)
        assert model_for(InstanceConfig()).model.id == str(champion.pk)
        settings.RISK_MODEL_PATH = str(SHIPPED / "advisor_prior_1.json")
        assert model_for(config).model.id == str(assigned.pk)
        assert model_for(InstanceConfig()).model.identity == {
            "id": None,
            "name": "advisor_prior_1",
            "version": "local",
        }
        assert model_for(InstanceConfig()).fallback is None

    @pytest.mark.parametrize("name", ["model.pkl", "nowhere.json"])
    def test_an_unreadable_local_file_is_a_fallback(self, name, tmp_path, settings):
        settings.RISK_MODEL_PATH = str(tmp_path / name)

        choice = model_for(InstanceConfig())

        assert choice.model.name == "advisor-prior"
        assert choice.fallback["wanted"]["name"] == name.partition(".")[0]
        assert name in choice.fallback["reason"]

    def test_the_error_has_the_reason_for_each_model(self):
        broken = a_challenger()
        ModelRegistry.objects.update(sha256="0" * 64)

        with pytest.raises(ModelUnusable) as refusal:
            model_for(InstanceConfig(assigned_model=ModelRegistry.objects.get(pk=broken.pk)))

        assert str(broken) in str(refusal.value)
        assert "advisor-prior 1 " in str(refusal.value)


def a_champions_fields():
    return ModelRegistry.objects.filter(stage="champion").values().get()
