"""Counters instead of state."""

from headstart.seeding import derive_key


def test_a_key_depends_on_everything_that_names_it_and_on_nothing_else():
    keys = [
        derive_key(0, "order"),
        derive_key(1, "order"),
        derive_key(0, "split"),
        derive_key(0, "order", 1),
        derive_key(0, "order", 1, 0),
    ]
    assert len(set(keys)) == len(keys)
    assert derive_key(0, "order", 1) == derive_key(0, "order", 1)


def test_a_key_fits_torch_and_numpy():
    assert all(0 <= derive_key(seed, "order") < 2**63 for seed in range(100))


def test_a_key_never_changes_from_one_version_to_the_next():
    assert derive_key(0, "order", 7) == 8137752381310766223
