"""
Loads models from artifacts: validated JSON parameters, never code.

The address of an artifact is ``stored:<sha256>`` (in the database), ``package:<file>`` (shipped
with the platform), or a path.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from lab.models import Artifact, ModelRegistry
from spot_optimizer.engine.hazard.artifact import parse_model
from spot_optimizer.engine.hazard.base import RiskModel
from spot_optimizer.errors import Conflict

SHIPPED = Path(__file__).resolve().parent / "shipped"
MAX_BYTES = 32 * 1024 * 1024  # [bytes]


class ModelUnusable(Conflict):
    code = "model_unusable"


class ValidArtifact(NamedTuple):
    """The model in an artifact, with the checksum and features that the registry stores."""

    model: RiskModel
    sha256: str
    feature_names: list[str]


class LoadedModel(NamedTuple):
    """A model with its identity in API responses."""

    model: RiskModel
    id: str | None
    name: str
    version: str
    sha256: str

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}:{self.sha256[:12]}"

    @property
    def identity(self) -> dict[str, str | None]:
        """The model in API responses."""
        return {"id": self.id, "name": self.name, "version": self.version}


def check(content: bytes, *, name: str) -> ValidArtifact:
    """
    Validate an artifact and return its model; error messages use ``name``.

    :raises ModelUnusable: it is too large or not a valid model
    """
    if len(content) > MAX_BYTES:
        raise ModelUnusable(f"The artifact of {name} is larger than 32 MiB.")
    document = _parse(content, name=name)
    try:
        model = parse_model(document)
    except ValueError as error:
        raise ModelUnusable(f"The artifact of {name} cannot be used: {error}") from error
    return ValidArtifact(model, hashlib.sha256(content).hexdigest(), list(document["features"]))


def registration(
    *, content: bytes, name: str, version: str, artifact: str | None = None, **facts: Any
) -> dict[str, Any]:
    """
    Return the registry's fields for an artifact.

    Used by ``services.register_model`` and by data migrations, which write them with historical
    models. ``facts`` are further fields.

    :raises ModelUnusable: the artifact is not a valid model
    """
    checked = check(content, name=f"{name} {version}")
    return {
        "name": name,
        "version": version,
        "artifact": artifact or f"stored:{checked.sha256}",
        "sha256": checked.sha256,
        "feature_names": checked.feature_names,
        **facts,
    }


def load_registered(entry: ModelRegistry) -> LoadedModel:
    """
    Load the model of a registry entry.

    :raises ModelUnusable: the artifact is missing, has changed, or is not a valid model
    """
    content = read(entry.artifact)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != entry.sha256:
        raise ModelUnusable(f"The artifact of {entry} is not the registered one: checksums differ.")
    checked = check(content, name=str(entry))
    if checked.feature_names != entry.feature_names:
        raise ModelUnusable(f"The artifact of {entry} has other features than the registered ones.")
    return LoadedModel(checked.model, str(entry.pk), entry.name, entry.version, sha256)


def load_file(path: str) -> LoadedModel:
    """
    Load a local artifact (``RISK_MODEL_PATH``).

    :raises ModelUnusable: it cannot be read or is not a valid model
    """
    file = Path(path)
    checked = check(_read_file(file), name=file.name)
    return LoadedModel(checked.model, None, file.stem, "local", checked.sha256)


def read(address: str) -> bytes:
    """
    Return the bytes at an artifact's address.

    :raises ModelUnusable: there is no such artifact, or it is not a JSON file
    """
    kind, _, name = address.partition(":")
    if kind == "stored":
        stored = Artifact.objects.filter(pk=name).first()
        if stored is None:
            raise ModelUnusable(f"The artifact {name[:12]}… is no longer stored.")
        return bytes(stored.content)
    return _read_file(SHIPPED / name if kind == "package" else Path(address))


def _read_file(path: Path) -> bytes:
    if path.suffix != ".json":
        raise ModelUnusable(
            f"{path.name} is not a JSON artifact. Formats that can run code, such as .pkl, "
            "are never opened: export the model's parameters as JSON."
        )
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelUnusable(
            f"The artifact {path.name} cannot be read: {error.strerror}."
        ) from error


def _parse(content: bytes, *, name: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelUnusable(f"The artifact of {name} is not JSON.") from error
    if not isinstance(document, dict):
        raise ModelUnusable(f"The artifact of {name} is not a JSON object.")
    return document
