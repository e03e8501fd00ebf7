"""What the arms that nothing beat cost, on the page."""

import re
from itertools import product

from headstart.compare.judge import judged
from headstart.compare.report import write


def test_the_price_of_the_arms_left_is_that_of_their_own_folds(fake_run, tmp_path):
    for folds, seconds in ((1, 1.5), (2, 7.5)):
        for arm, right in (("finetune", 0.9), ("scratch_backbone", 0.2)):
            for seed, fold in product(range(2), range(folds)):
                cost = {"seconds": seconds, "trainable_parameters": 10}
                fake_run(arm, seed, 5, right, fold=fold, folds=folds, sweep=f"of{folds}", cost=cost)
    page = write(tmp_path / "both", judged(tmp_path / "of1", tmp_path / "of2")).read_text()
    prices = re.findall(r'<ul class="price">(.*?)</ul>', page, re.DOTALL)
    assert ["1.5 s" in price for price in prices] == [True, False]
    assert ["7.5 s" in price for price in prices] == [False, True]
