"""Keys of random streams."""

from headstart.seeding import derive_key


class TestDeriveKey:
    def test_depends_on_each_argument_alone(self):
        arguments = [(0, "order"), (1, "order"), (0, "split"), (0, "order", 1), (0, "order", 1, 0)]
        keys = [derive_key(*each) for each in arguments]
        assert len(set(keys)) == len(keys)
        assert keys == [derive_key(*each) for each in arguments]

    def test_fits_torch_and_numpy(self):
        assert all(0 <= derive_key(seed, "order") < 2**63 for seed in range(100))

    def test_is_the_same_in_each_version(self):
        assert derive_key(0, "order", 7) == 8137752381310766223
