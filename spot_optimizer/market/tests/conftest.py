from spot_optimizer.emulator.testing import emulator, reset_emulator

__all__ = ["emulator", "reset_emulator"]
