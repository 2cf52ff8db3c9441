"""Fits the emulator to recorded prices and reports how well the model matches them."""
