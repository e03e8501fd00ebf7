"""What the walks say of a network: figures that agree with its table."""

import pytest

CONV = {"kind": "conv", "kernel": 3, "padding": 1}
DILATED = {"kind": "conv", "padding": 2, "dilation": 2}


def network(*layers, size=(28, 28)):
    return {"size": size, "channels": 1, "layers": layers}


def corner(js, *layers, **more):
    return js("cornerWords(table(n), n.layers.length)", n=network(*layers, **more))


def stride(js, *layers, **more):
    return js("strideWords({ ...n, layers: n.layers.map(complete) }, n.layers.length)", n=network(*layers, **more))


def gap(js, *layers, **more):
    return js("gapWords(table(n))", n=network(*layers, **more))


class TestCorner:
    def test_separates_padding_and_holes(self, js):
        said = corner(js, *[DILATED] * 3, size=(21, 21))
        assert said.startswith("The pixels of rows 0 to 6 and columns 0 to 6: no other can change this unit of conv 3.")
        assert "its first 6 rows and columns lie in the padding" in said and "7 of 13 rows and columns are left" in said
        assert said.endswith("Of the 7 rows and columns from the first to the last it reads 4: the others are holes.")

    def test_of_a_plain_stack_has_no_holes(self, js):
        said = corner(js, *[CONV] * 3)
        assert "its first 3 rows and columns lie in the padding" in said and said.endswith(
            "4 of 7 rows and columns are left."
        )
        assert "its first row and column lies in the padding" in corner(js, CONV)
        said = corner(js, {"kind": "conv"})
        assert said == "The pixels of rows 0 to 2 and columns 0 to 2: no other can change this unit of conv 1."
        assert "row 0 and column 0: " in corner(js, {"kind": "conv", "kernel": 1})

    def test_is_that_of_the_last_map(self, js):
        said = js("cornerWords(table(PRESETS.lesson), 4)")
        assert said.startswith("The pixels of rows 0 to 6 and columns 0 to 6: no other can change this unit of pool 2.")
        assert said.endswith(" pool 2 is the last map, not the last layer: dense 2 sees 784 of 784 pixels.")
        given = network(CONV, {"kind": "gap"}, {"kind": "conv", "kernel": 9})  # the last one does not fit
        assert js("cornerWords(table(n), 1)", n=given).endswith("not the last layer: GAP 1 sees 784 of 784 pixels.")
        assert "not the last layer" not in corner(js, CONV) + corner(js, CONV, {"kind": "conv", "kernel": 40})

    def test_of_a_small_image_is_cut_on_both_sides(self, js):
        said = corner(js, *[CONV] * 5, size=(4, 4))
        assert "first 5 rows" in said and "beyond the other border (2)" in said and "4 of 11 rows" in said

    def test_of_an_overhanging_pool_is_cut_behind(self, js):
        said = corner(js, {"kind": "max", "kernel": 3, "ceil": True}, size=(2, 2))
        assert said.endswith("The field reaches beyond the border by 1: 2 of 3 rows and columns are left.")

    def test_describes_rows_and_columns_that_differ(self, js):
        said = corner(js, {**CONV, "kernel": [3, 5], "padding": [1, 2], "dilation": [2, 1]})
        assert said.startswith("The pixels of rows 1 to 3 and columns 0 to 2")
        assert "Down, the field begins at −1, so its first row lies in the padding" in said
        assert "4 of 5 rows are left" in said and "Across, the field begins at −2" in said and "3 of 5 columns" in said
        assert said.endswith("Of the 3 rows from the first to the last it reads 2: the others are holes.")
        alone = corner(js, {**CONV, "padding": [0, 1]})
        assert "Across, the field begins at −1" in alone and "Down" not in alone

    @pytest.mark.parametrize(
        ("layer", "where"),
        [
            ({**CONV, "padding": 5}, "rows −5 to −3 and columns −5 to −3"),
            ({**CONV, "padding": [0, 5]}, "rows 0 to 2 and columns −5 to −3"),
            ({**CONV, "kernel": 2, "dilation": [1, 60], "padding": [0, 20]}, "rows 0 to 1 and columns −20 to 40"),
        ],
    )
    def test_in_padding_alone_has_no_pixel(self, js, layer, where):
        said = corner(js, layer)
        assert said.startswith("No pixel decides it: this unit of conv 1 reads nothing of the image, only padding.")
        assert where in said and "undefined" not in said
        given = network(layer, {"kind": "conv", "kernel": 1})
        assert "reads nothing of the image, only padding" in js("sentence(table(n), 2, [0, 0])", n=given)
        assert js("trace(table(n), 2, [0, 0])[0]", n=given) == [[], []]


class TestSentence:
    def test_describes_what_a_unit_sees(self, js):
        assert js("sentence(table(n), 1, [3, 0])", n=network({**DILATED, "padding": [2, 0]})) == (
            "Unit (3, 0) of conv 1 sees rows 1 to 5 and columns 0 to 4, with holes: 9 of the 25 there: "
            "9 of 784 pixels, 1.1\xa0%."
        )
        assert js("sentence(table(n), 1, [0, 0])", n=network(CONV)).endswith(
            "Its field is 3×3 and reaches beyond the border, where there is nothing to see."
        )


class TestStride:
    def test_doubles_what_later_layers_add(self, js):
        said = stride(js, {**CONV, "stride": 2}, CONV)
        assert said.startswith(
            "With stride 2 the first field stays. But neighbours look at places 2 pixels apart: every"
        )
        assert "every later jump up to conv 2 doubles, and so does what each later layer up to there adds" in said
        assert "Look at conv 2: with stride 1 its field is 3 + 2 = 5, with stride 2 it is 3 + 2 · 2 = 7" in said
        assert said.endswith("The map of conv 2 has 14×14 units in place of 28×28.")
        assert stride(js, CONV, CONV) == said  # without a stride it says what stride 2 would do

    def test_describes_one_axis_and_other_strides(self, js):
        said = stride(js, {**CONV, "stride": [2, 1]}, CONV)
        assert said.startswith("Down, with stride 2 the first field stays.") and "3 + 2 · 2 = 7" in said
        assert said.endswith("stays as it is. The map of conv 2 has 14×28 units in place of 28×28.")
        said = stride(js, {**CONV, "stride": [4, 3]}, CONV)
        assert "every later jump up to conv 2 is 4 times as large, and so is what" in said and "3 + 4 · 2 = 11" in said
        assert "Across, with stride 3" in said and "3 + 3 · 2 = 9. The map of conv 2 has 7×10" in said

    @pytest.mark.parametrize(
        ("kind", "name", "size", "figures"),
        [
            ("dense", "dense 1", (28, 28), ("24", "28", "33", "34")),
            ("gap", "GAP 1", (28, 28), ("24", "28", "33", "34")),
            ("dense", "dense 1", (28, 20), ("24 | 16", "28 | 20", "33 | 25", "34 | 26")),
        ],
    )
    def test_does_not_double_global_layers(self, js, kind, name, size, figures):
        lesson = [CONV, {"kind": "max"}] * 2
        given = network(*lesson, {"kind": kind}, {"kind": "dense"}, size=size)
        said = js("strideWords({ ...n, layers: n.layers.map(complete) }, 4)", n=given)
        assert "every later jump up to pool 2 doubles" in said and "each later layer up to there adds" in said
        assert said.endswith(
            f" {name} takes the whole map, which has fewer units now: its jump is {figures[0]} in place of "
            f"{figures[1]}, "
            f"its field {figures[2]} in place of {figures[3]}."
        )
        given["layers"] = [{**CONV, "stride": 2}, *given["layers"][1:]]
        jump, field = js("((row) => [same(row.jump), same(row.field)])(table(n)[5])", n=given)
        assert (jump, field) == (figures[0], figures[2])
        assert "takes the whole map" not in stride(js, *lesson)

    @pytest.mark.parametrize("first", [1, 2, 3, 4, [2, 1], [1, 3], [4, 2]])
    @pytest.mark.parametrize("kind", ["conv", "max", "residual"])
    def test_has_the_figures_of_the_table(self, js, kind, first):
        layers = [{"kind": kind, "kernel": 3, "stride": first}, CONV, {"kind": "max"}]
        strides = first if isinstance(first, list) else [first, first]
        strides = [2, 2] if strides == [1, 1] else strides
        tables = [
            js("table(n).at(-1)", n=network({**layers[0], "stride": now}, *layers[1:], size=(60, 60)))
            for now in ([1, 1], strides)
        ]
        said = stride(js, *layers, size=(60, 60))
        for axis in (0, 1):
            then, now = (row["field"][axis] for row in tables)
            if strides[axis] > 1:
                assert f"= {now}." in said or f"with stride {strides[axis]} it is {now}." in said
                assert f"= {then}, with" in said or f"its field is {then}, with" in said

    def test_widens_a_first_residual_block(self, js):
        said = stride(js, {"kind": "residual", "stride": 2}, CONV)
        assert "its field is 7 in place of 5" in said and "the first field stays" not in said
        assert "Look at conv 1: with stride 1 its field is 7, with stride 2 it is 11." in said

    def test_ends_at_a_global_layer(self, js):
        said = stride(js, {**CONV, "stride": 2}, {"kind": "gap"}, {**CONV, "padding": 2})
        assert "every later jump" not in said and "with stride 1 its field is 86, with stride 2 it is 85." in said

    @pytest.mark.parametrize(
        ("layers", "said"),
        [
            ([], "no layer yet"),
            ([{"kind": "gap"}], "takes the whole image at once"),
            ([CONV], "No map comes after it here."),
        ],
    )
    def test_says_that_there_is_no_stride_to_set(self, js, layers, said):
        assert said in stride(js, *layers)
        assert layers or said in corner(js)


class TestGlobalPooling:
    def test_spans_its_units_along_each_axis(self, js):
        said = gap(js, {**CONV, "stride": 2}, {"kind": "gap"})
        assert (
            said.endswith("3 + (14 − 1) · 2 = 29 pixels, and the image has 28. GAP 1 sees 784 of 784 pixels.")
            and "Down" not in said
        )
        said = gap(js, {**CONV, "stride": [2, 1]}, {"kind": "gap"}, size=(28, 20))
        assert "Down, their fields measure 3 and begin 2 apart; side by side they span 3 + (14 − 1) · 2 = 29" in said
        assert "3 + (20 − 1) · 1 = 22 pixels, and the image has 20." in said
        said = gap(js, {"kind": "conv", "kernel": 1, "stride": 3}, {"kind": "gap"})
        assert said.endswith("GAP 1 sees 100 of 784 pixels.")  # side by side, with gaps between them
        assert gap(js, CONV).endswith("Set it up to see the numbers.")
