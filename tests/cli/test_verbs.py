"""A verb is a row of the table and a module with ``run``."""

import argparse
import json
from pathlib import Path

import pytest

from mindcv_shufflenet import cli
from mindcv_shufflenet.cli.arguments import argument
from mindcv_shufflenet.cli.verb import Verb
from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.commands.output import create_console, write_json


def run(arguments: argparse.Namespace) -> None:
    create_console(arguments.json).print(f"hello {arguments.who}")
    write_json(arguments.json, {"greeted": arguments.who})


def test_a_new_verb_is_listed_helped_parsed_and_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    who = argument("who", metavar="WHO", text="whom to greet")
    verb = Verb("greet somebody", ("world",), {"greeted"}, (who,), needs="somebody to greet", module=__name__)
    monkeypatch.setitem(VERBS, "hello", verb)
    assert cli.main([]) == 0
    assert "hello         greet somebody" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["hello", "--help"])
    assert "whom to greet" in capsys.readouterr().out
    assert cli.main(["hello"]) == 2
    assert "shufflenet hello needs somebody to greet; for example: `shufflenet hello world`" in capsys.readouterr().err
    target = tmp_path / "result.json"
    for name in ("you", "all"):  # an earlier result of the verb is replaced
        assert cli.main(["hello", name, "--json", str(target)]) == 0
        assert capsys.readouterr().out == f"hello {name}\n"
        assert json.loads(target.read_text()) == {"greeted": name}
