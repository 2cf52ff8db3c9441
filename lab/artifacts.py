"""
The one way in for a model: JSON parameters, checked, never code.

An artifact's address is ``package:<file>`` for one that ships with the platform, or a path.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from lab.models import ModelRegistry
from spot_optimizer.engine.risk import RiskModel, parse_model
from spot_optimizer.errors import Conflict

SHIPPED = Path(__file__).resolve().parent / "shipped"
LARGEST = 32 * 1024 * 1024  # [bytes]


class ModelUnusable(Conflict):
    code = "model_unusable"


class LoadedModel(NamedTuple):
    """A model that may be asked, and what to call it in an answer."""

    model: RiskModel
    id: str | None
    name: str
    version: str
    sha256: str

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}:{self.sha256[:12]}"


def load_registered(entry: ModelRegistry) -> LoadedModel:
    """
    Load the model of a registry entry.

    :raises ModelUnusable: the artifact is missing, changed, or no model; the message says which
    """
    content = _read(entry.artifact)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != entry.sha256:
        raise ModelUnusable(f"The artifact of {entry} is not the one registered: checksums differ.")
    document = _parse(content, name=str(entry))
    if document.get("features") != entry.feature_names:
        raise ModelUnusable(f"The artifact of {entry} has other features than the registry says.")
    return LoadedModel(
        _model(document, name=str(entry)), str(entry.pk), entry.name, entry.version, sha256
    )


def load_file(path: str) -> LoadedModel:
    """
    Load a local artifact, for those who want no registry (``RISK_MODEL_PATH``).

    :raises ModelUnusable: it cannot be read, or is no model; a pickle never is
    """
    content = _read(path)
    document = _parse(content, name=path)
    sha256 = hashlib.sha256(content).hexdigest()
    return LoadedModel(_model(document, name=path), None, Path(path).stem, "local", sha256)


def _read(address: str) -> bytes:
    kind, _, name = address.partition(":")
    path = SHIPPED / name if kind == "package" else Path(address)
    if path.suffix != ".json":
        raise ModelUnusable(
            f"{path.name} is not a JSON artifact. Formats that can run code, such as .pkl, "
            "are never opened: export the model's parameters as JSON."
        )
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ModelUnusable(
            f"The artifact {path.name} cannot be read: {error.strerror}."
        ) from error
    if len(content) > LARGEST:
        raise ModelUnusable(f"The artifact {path.name} is larger than 32 MiB.")
    return content


def _parse(content: bytes, *, name: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelUnusable(f"The artifact of {name} is not JSON.") from error
    if not isinstance(document, dict):
        raise ModelUnusable(f"The artifact of {name} is not a JSON object.")
    return document


def _model(document: dict[str, Any], *, name: str) -> RiskModel:
    try:
        return parse_model(document)
    except ValueError as error:
        raise ModelUnusable(f"The artifact of {name} cannot be used: {error}") from error
