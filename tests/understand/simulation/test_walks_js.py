"""What the walks say of a network: figures that agree with its table."""

DILATED = {"size": [21, 21], "channels": 1, "layers": [{"kind": "conv", "padding": 2, "dilation": 2}] * 3}
CONV = {"kind": "conv", "kernel": 3, "padding": 1}


def corner(js, network, layer):
    return js("cornerWords(table(network), layer)", network=network, layer=layer)


def stride(js, first, *more):
    network = {"size": [28, 28], "channels": 1, "layers": [first, *more]}
    return js(
        "strideWords({ ...network, layers: network.layers.map(complete) }, last)", network=network, last=len(more) + 1
    )


def test_the_corner_of_a_dilated_stack_tells_padding_and_holes_apart(js):
    said = corner(js, DILATED, 3)
    assert "its first 6 columns lie in the padding" in said and "of 13 columns 7 are left" in said
    assert "Of the 7 columns within the image it reads 4: the others are holes." in said


def test_the_corner_of_a_plain_stack_has_no_holes(js):
    said = corner(js, {**DILATED, "layers": [CONV] * 3}, 3)
    assert "its first 3 columns lie in the padding" in said and said.endswith("of 7 columns 4 are left.")
    assert "its first column lies in the padding" in corner(js, {**DILATED, "layers": [CONV]}, 1)
    assert corner(js, {**DILATED, "layers": [{"kind": "conv"}]}, 1) == ""


def test_the_corner_of_a_small_image_is_cut_on_both_sides(js):
    said = corner(js, {"size": [4, 4], "channels": 1, "layers": [CONV] * 5}, 5)
    assert "first 5 columns" in said and "beyond the other border (2)" in said and "of 11 columns 4 are left" in said


def test_a_stride_in_the_first_convolution_doubles_what_later_layers_add(js):
    said = stride(js, {**CONV, "stride": 2}, CONV)
    assert said["first"] == "The first field stays."
    assert said["figures"] == " Look at conv 2: with stride 1 it would be 3 + 2 = 5; it is 3 + 2 · 2 = 7."


def test_a_stride_in_a_first_residual_block_widens_the_block_itself(js):
    said = stride(js, {"kind": "residual", "stride": 2}, CONV)
    assert "its field is 7 in place of 5" in said["first"] and "The first field stays" not in said["first"]
    assert said["figures"] == " Look at conv 1: with stride 1 it would be 7; it is 11."
