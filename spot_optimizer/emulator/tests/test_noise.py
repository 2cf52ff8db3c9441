import numpy as np
import pytest

from spot_optimizer.emulator.market.noise import interpolated, key, normals, smooth, uniforms

KEYS = np.array([[key("a")], [key("b")]], np.uint64)


def test_the_same_address_gives_the_same_number():
    once = uniforms(KEYS, np.arange(10))

    assert (uniforms(KEYS, np.arange(5, 8)) == once[:, 5:8]).all()


def test_a_key_is_the_same_in_every_process():
    # The first eight bytes of BLAKE2b-64 of "a", least significant first (b2sum -l 64).
    assert key("a") == int.from_bytes(bytes.fromhex("40f89e395b66422f"), "little")


def test_different_names_have_different_keys():
    assert key("ab", "c") != key("a", "bc")


def test_uniforms_are_uniform_and_keys_are_independent():
    numbers = uniforms(KEYS, np.arange(100_000))

    # The mean of 100,000 uniform numbers has a standard deviation of 0.0009.
    assert numbers.mean(axis=1) == pytest.approx([0.5, 0.5], abs=0.005)
    assert np.var(numbers, axis=1) == pytest.approx([1 / 12, 1 / 12], abs=0.002)
    assert np.corrcoef(numbers)[0, 1] == pytest.approx(0, abs=0.015)
    assert np.corrcoef(numbers[0, 1:], numbers[0, :-1])[0, 1] == pytest.approx(0, abs=0.015)


def test_normals_are_normal():
    numbers = normals(KEYS, np.arange(100_000))

    assert numbers.mean() == pytest.approx(0, abs=0.01)
    assert numbers.std() == pytest.approx(1, abs=0.01)
    assert np.mean(numbers < -1) == pytest.approx(0.1587, abs=0.004)


def test_curves_go_through_their_knots_and_depend_on_their_own_row_only():
    def knots(ticks):
        return normals(KEYS, ticks)

    at = np.tile(np.linspace(3, 6, 31), (2, 1))

    curve = interpolated(knots, at)

    assert curve[:, [0, 10, 20, 30]] == pytest.approx(knots(np.array([3, 4, 5, 6])))
    assert curve[:, 7:9] == pytest.approx(interpolated(knots, at[:, 7:9]))


def test_smooth_has_slope_zero_at_its_ends():
    x = np.array([0, 1e-4, 0.5, 1 - 1e-4, 1])

    assert smooth(x) == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-7)
