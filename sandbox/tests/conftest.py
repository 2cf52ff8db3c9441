from streaming.tests.conftest import new_channel_layer

__all__ = ["new_channel_layer"]
