"""``models``: what is listed."""

import json

from tests.cli.conftest import Command


def test_models_are_listed_with_their_costs(command: Command) -> None:
    status, output, _ = command("models", "*x1_0", "--json", "-")
    assert status == 0
    result = json.loads(output)
    assert result["models"] == {"shufflenet_v2_x1_0": {"parameters": 2_278_760, "multiply_adds": 145_814_296}}
    assert result["weights"]["shufflenet_v2_x1_0.tv_in1k"]["top1"] == 69.362
    assert len(result["weights"]) == 4
    status, _, error = command("models", "resnet*")
    assert (status, error) == (2, "error: no model matches resnet*; `shufflenet models` lists them all\n")
