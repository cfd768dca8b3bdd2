"""Words of the command line to options, and how fast it answers."""

import json
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mindcv_shufflenet import cli
from mindcv_shufflenet.cli import verbs
from mindcv_shufflenet.cli.target import check_target, is_result
from mindcv_shufflenet.cli.verb import spell
from mindcv_shufflenet.cli.words import parse
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.names import WEIGHTS_SUFFIXES
from mindcv_shufflenet.options.tables import read_by

ROOT = Path(__file__).parents[2]


def options(*words: str) -> dict[str, object]:
    return parse("train.py", "train", list(words)).options


@pytest.mark.parametrize("words", [["--lr", "0.5"], ["--lr=0.5"], ["lr=0.5"]])
def test_three_ways_to_write_an_option(words: list[str]) -> None:
    assert options(*words) == {"lr": 0.5}


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--pretrained"], True),
        (["--pretrained", "True"], True),
        (["--pretrained=False"], False),
        (["pretrained=true"], True),
        (["--no-pretrained"], False),
        (["--no_pretrained"], False),
    ],
)
def test_ways_to_write_a_boolean(words: list[str], value: bool) -> None:
    assert options(*words) == {"pretrained": value}


def test_dashes_and_lists() -> None:
    given = options("--batch-size", "4", "--scale", "0.1", "0.9", "--mean=(1,2,3)", "--no-jit", "data-dir=/a=b")
    assert given == {"batch_size": 4, "scale": [0.1, 0.9], "mean": [1, 2, 3], "jit": False, "data_dir": "/a=b"}
    assert options("--data_dir", "year=2012") == {"data_dir": "year=2012"}
    assert options("--ckpt_save_dir", "lr=0.1", "lr=0.2") == {"ckpt_save_dir": "lr=0.1", "lr": 0.2}
    assert options("--mean", "127.5", "--std=60", "--in_channels", "1") == {
        "mean": [127.5],
        "std": [60],
        "in_channels": 1,
    }
    assert options("--allow_missing", "conv_last.*", "*.bias") == {"allow_missing": ["conv_last.*", "*.bias"]}
    assert options("--batch_size", "0500", "--color_jitter", "0.4") == {"batch_size": 500, "color_jitter": 0.4}


def test_a_switch_leaves_the_next_word_alone() -> None:
    words = ["--model", "x", "--pretrained", "bird.jpg", "--topk", "3"]
    parsed = parse("shufflenet predict", "predict", words)
    assert (parsed.images, parsed.options, parsed.topk) == (["bird.jpg"], {"model": "x", "pretrained": True}, 3)


def test_the_command_line_goes_before_the_recipe_and_the_recipe_before_defaults(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("lr: 0.1\nbatch_size: 32\n")
    config = parse_config(options("-c", str(recipe), "--lr", "0.2"))
    assert (config.lr, config.batch_size, config.epoch_size) == (0.2, 32, 90)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lrr", "1"], "unknown option lrr (did you mean lr?)"),
        (["epoch_sizes=1"], "unknown option epoch_sizes (did you mean epoch_size?)"),
        (["digits"], "unexpected argument digits"),
        (["--lr"], "argument --lr: expected one argument"),
        (["--lr", "fast"], "lr=fast: it must be a valid number"),
        (["--lr", "-1e-3"], "lr=-0.001: it must be greater than or equal to 0"),
        (["-lr", "0.1"], "unknown option -lr: options begin with two dashes, --lr"),
        (["--batch_size", "1:30"], "batch_size=1:30"),
        (
            ["--std", "0", "0", "0"],
            "of 0..255 (it must be greater than or equal to 0.001)",
        ),
        (["--random_weights", "--ckpt_path", "x.ckpt"], "both given; leave one out"),
        (["--epoch_size", "1" * 400], "epoch_size="),
        (["--crop_pct", "1e-9"], "crop_pct=1e-09: it must be greater than or equal to 0.1"),
        (["--data_dir", "~nosuchuser/x"], "there is no such user"),
        (["--ckpt_save_dir", "x" * 300, "--dataset", "digits"], "File name too long"),
        (["--json", "none/"], "cannot write none/: give --json a file"),
        (["--json", "ckpt/config.yaml"], "is the name of a file of a run"),
        (["--json", "ckpt/split.json"], "is the name of a file of a run"),
        ([], "train.py needs a data set to train on, or a recipe; for example: `python train.py --dataset"),
        (["="], "unexpected argument =; train.py --help"),
        (["--"], "unexpected argument --; train.py --help says what there may be"),
        (["--="], "unexpected argument --="),
        ([""], "unexpected argument '';"),
        (["-c", ""], "config is given and empty"),
        (["--json", ""], "json is given and empty"),
        (["--ckpt_path="], "ckpt_path is given and empty"),
        (["--mean", "", "1", "2"], "mean is given and empty"),
        (["--learning_rate", "0.1"], "unknown option learning_rate (did you mean lr?)"),
        (["-c", "no.yaml"], "cannot read the recipe no.yaml"),
        (["--json", "/no/such/folder/result.json"], "cannot write /no/such/folder/result.json"),
    ],
)
def test_a_wrong_word_gets_one_line_and_status_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words, verb="train") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_result_replaces_nothing_but_an_earlier_result(tmp_path: Path) -> None:
    """An input that is there is no result, so that it is not replaced either."""
    target = tmp_path / "result.json"
    for content in (b"weights", b"[1]", b'{"images": []}', b"\xff", b'{"model": 1, "top1": 2}', b"[" * 10_000):
        target.write_bytes(content)
        with pytest.raises(UserError, match="is there already and is no earlier result"):
            check_target("json", str(target), [], is_result)
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(target)
        with pytest.raises(UserError, match="no earlier result"):
            check_target("json", str(tmp_path / "link"), [], is_result)
    for verb in verbs.VERBS.values():
        target.write_text(json.dumps(dict.fromkeys(verb.result_keys, 1) | {"more": 2}))
        check_target("json", str(target), [], is_result)
    target.write_bytes(b"")  # as mktemp makes it
    for path in (target, tmp_path / "new.json", Path("/dev/full"), Path("/dev/stdout")):
        check_target("json", str(path), [], is_result)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("convert a.ckpt o.npz --json ./o.npz", "target"),
        ("convert a.ckpt o.pth --json o.pth.json", "target"),
        ("convert a.ckpt o.npz --json a.ckpt.npz --ckpt_key x", None),
        ("data_prepare out --json out --dataset digits", "output"),
        ("predict 1.jpg --image_path 2.jpg --json 2.jpg", "images"),
        ("predict 1.jpg --json 1.jpg.json", None),
        ("predict 1.jpg --cam cam --json cam", "cam"),
        ("validate --ckpt_path m.npz --json m.npz", "ckpt_path"),
        ("train --dataset digits --ckpt_save_dir new --json new", "ckpt_save_dir"),
    ],
)
def test_a_result_is_no_other_path_of_its_command(
    words: str, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    verb, *others = words.split()
    if name is None:
        parse(verb, verb, others)
    else:
        with pytest.raises(UserError, match=rf"--json \S+ is the file of {name} too: give --json another name"):
            parse(verb, verb, others)


def page(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(words))
    assert caught.value.code == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("verb", verbs.VERBS)
def test_help_is_a_page_with_three_examples(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = page(capsys, *spell(verb).split(), "--help")
    assert len(lines) <= 40
    assert all(len(line) <= 80 for line in lines)
    examples = lines[lines.index("examples:") + 1 : -2]
    assert len(examples) == 3
    assert all(line.startswith(f"  shufflenet {spell(verb)}") for line in examples)
    assert lines[-1] == f"shufflenet {spell(verb)} --help all lists every option"
    everything = page(capsys, *spell(verb).split(), "--help", "all")
    assert everything == page(capsys, *spell(verb).split(), "--help=all")
    text = "\n".join(everything)
    own = {argument.name for argument in verbs.VERBS[verb].arguments}
    reads_as = verbs.VERBS[verb].reads_as or verb
    assert all(re.search(rf"--{name}\b", text) for name in read_by(reads_as) if name not in own)
    assert len(everything) > len(lines) or verb in ("models", "check", "sweep")


@pytest.mark.parametrize("verb", verbs.VERBS)
def test_examples_are_commands(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may copy them: the words are known, whatever files there are."""
    monkeypatch.chdir(tmp_path)
    for example in verbs.VERBS[verb].examples:
        parse(f"shufflenet {spell(verb)}", verb, shlex.split(example))


@pytest.mark.parametrize("verb", [verb for verb, row in verbs.VERBS.items() if row.needs])
def test_a_verb_without_words_says_what_is_missing(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(spell(verb).split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: shufflenet {spell(verb)} needs ")
    assert f"; for example: `shufflenet {spell(verb)} {verbs.VERBS[verb].examples[0]}`\n" in error
    assert error.count("\n") == 1


def test_the_nearest_option_is_one_of_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    for word, told in (
        ("--k", "unknown option k (did you mean topk?)"),
        ("--weights", "unknown option weights (did you mean ckpt_path?)"),
        ("--epochs", "shufflenet predict does not take --epoch_size"),
    ):
        assert cli.main(["predict", "a.jpg", word, "3"]) == 2
        assert told in capsys.readouterr().err


def test_mindcvs_words_for_a_prediction() -> None:
    words = ["--image-path", "a.jpg", "--model=x"]
    assert parse("infer.py", "predict", words).images == ["a.jpg"]
    assert parse("infer.py", "predict", ["--image_path=a.jpg", "b.jpg"]).images == ["b.jpg", "a.jpg"]


def test_weights_suffixes_are_the_rooms_own() -> None:
    from mindcv_shufflenet.weights import formats

    with pytest.raises(UserError, match=rf"its name must end in {re.escape(' '.join(WEIGHTS_SUFFIXES))}$"):
        formats.check_suffix("weights.txt")


def test_an_unknown_verb_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    assert "did you mean train?" in capsys.readouterr().err


def test_the_verbs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    assert all(f"  {spell(verb)} " in text for verb in cli.VERBS)


def test_a_verb_of_two_words_needs_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "error: shufflenet data needs another word: data stats, data check, data show, data prepare;"
    )
    assert cli.main(["data", "chek", "photos"]) == 2
    assert "unknown verb data chek (did you mean data check?); the verbs are data stats," in capsys.readouterr().err
    assert cli.main(["data", "--help"]) == 0
    text = capsys.readouterr().out
    assert "  data check    find unreadable images" in text
    assert "predict" not in text


def processor_seconds(*words: str) -> tuple[float, str]:
    """Run Python; return the seconds that it has computed, however busy the machine is, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def test_help_names_every_option_and_answers_at_once() -> None:
    """It takes 0.15 s where the two libraries that it needs take 0.07 s; importing numpy would add 0.1 s."""
    helps, imports = [], []
    for _ in range(3):
        seconds, printed = processor_seconds("train.py", "--help", "all")
        helps.append(seconds)
        imports.append(processor_seconds("-c", "import pydantic, yaml")[0])
    for name in parse_config({}).model_dump():
        assert re.search(rf"--{name}\b", printed)
    assert min(helps) < 2.8 * min(imports)
    code = "import sys, mindcv_shufflenet, mindcv_shufflenet.cli; sys.exit('mindspore' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
