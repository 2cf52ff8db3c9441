import pytest
from channels.layers import channel_layers


@pytest.fixture(autouse=True)
def _a_layer_of_its_own():
    """Redis's layer remembers the event loop that waits, and each test has a new loop."""
    channel_layers.backends = {}
