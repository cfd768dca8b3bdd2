"""The texts of reports are whole in both languages."""

import re

import pytest
from markupsafe import Markup

from mindcv_shufflenet.fitting.issues import KINDS, text_key
from mindcv_shufflenet.report.texts import TEMPLATES, TEXTS, Text, alternative, filled, html

# Words that Chinese readers know as they are.
SAME = {"its_top5", "speed", "epoch_axis", "top1_percent"}


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_say_it_with_the_same_values(key: str) -> None:
    english, chinese = TEXTS[key]
    values, tags = r"\{\w+\}", r"</?\w+>"
    assert {*re.findall(values, english)} == {*re.findall(values, chinese)}
    assert sorted(re.findall(tags, english)) == sorted(re.findall(tags, chinese))
    assert bool(re.search(r"[\u4e00-\u9fff]", chinese)) != (key in SAME)
    assert not re.search(r"[\u4e00-\u9fff]", english)


def test_every_text_is_used() -> None:
    sources = [*TEMPLATES.glob("*.jinja"), *TEMPLATES.parent.glob("*.py"), *TEMPLATES.parents[1].glob("fitting/*.py")]
    written = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    of_issues = {text_key(kind, *part) for kind in KINDS for part in ((), ("means",))}
    assert {key for key in TEXTS if f'"{key}"' not in written} == of_issues


def test_values_are_escaped() -> None:
    assert html("no_checkpoint") == (
        '<span class="en" lang="en">there is no checkpoint yet</span><span class="zh" lang="zh">尚无检查点</span>'
    )
    assert "a &lt;b&gt;.ckpt" in html("matrix_read", checkpoint="a <b>.ckpt")
    found = alternative("reliability_alt", title=Text("before", "之前"), ece='"1"')
    assert isinstance(found, Markup)
    assert "diagram, before: expected calibration error &#34;1&#34; %. · " in found
    assert "之前" in found
    assert filled("after", temperature="<2>") == ("With the temperature &lt;2&gt;", "温度 &lt;2&gt;")


def test_no_two_keys_have_the_same_texts() -> None:
    assert len({*TEXTS.values()}) == len(TEXTS)
