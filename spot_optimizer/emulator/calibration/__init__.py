"""Fits the emulator to recorded prices, and says how well it fits."""
