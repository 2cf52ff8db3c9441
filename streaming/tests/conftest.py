import pytest
from channels.layers import channel_layers


@pytest.fixture(autouse=True)
def new_channel_layer():
    """A Redis layer is bound to the event loop of its first use, and each test has a new loop."""
    channel_layers.backends = {}
