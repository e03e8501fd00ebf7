"""The simulation's arithmetic, in a JavaScript engine without a page."""

import json

import pytest
from py_mini_racer import MiniRacer

from headstart.understand.simulation import DOM_FREE_SCRIPTS, TEMPLATE_FOLDER


@pytest.fixture(scope="session")
def js():
    """A function that evaluates an expression and gives its value; ``$name`` in it is a value given by that name."""
    engine = MiniRacer()
    for name in DOM_FREE_SCRIPTS:
        engine.eval((TEMPLATE_FOLDER / f"{name}.js").read_text(encoding="utf-8"))

    def evaluate(expression, **values):
        names, given = ", ".join(values), ", ".join(json.dumps(value) for value in values.values())
        return json.loads(engine.eval(f"JSON.stringify((({names}) => ({expression}))({given}))"))

    yield evaluate
    engine.close()
