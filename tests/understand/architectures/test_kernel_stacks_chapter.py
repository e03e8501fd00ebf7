from torch import nn

from headstart.understand.architectures.kernel_stacks_chapter import KERNEL_STACK_CLAIMS, build_width_chapter


class TestBuildWidthChapter:
    def test_counts_both_convolutions(self, subject):
        said = build_width_chapter(subject, lambda text: None)
        (claim,) = said.claims
        assert {claim.name} == set(KERNEL_STACK_CLAIMS) and claim.verdict == "depends"
        (table,) = (part for part in said.content if not isinstance(part, str))
        assert table.rows == [("conv1", 1, 4, 324, 196), ("conv2", 4, 8, 1440, 1568)]
        assert (said.numbers["cheaper"], said.numbers["convolutions"]) == (1, 2)
        assert [tuple(row.values()) for row in said.numbers["weights"]] == table.rows, "every weight of the page"
        assert "110,592 weights against its 200,704" in claim.control

    def test_does_not_measure_a_network_without_convolutions(self, subject):
        import dataclasses

        flat = dataclasses.replace(subject, network=nn.Linear(3, 2))
        (claim,) = build_width_chapter(flat, lambda text: None).claims
        assert claim.verdict == "not measured" and claim.command
