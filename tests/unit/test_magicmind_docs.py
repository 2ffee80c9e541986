"""docs/magicmind.md and docs/first-hour.md: each page twice, in English and in Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spanserve.doors import http

DOCS = Path(__file__).parents[2] / "docs"
WORDS = Path(http.__path__[0]) / "page"
LANGUAGES = (".md", ".zh.md")
PAGES = {
    name + language: (DOCS / (name + language)).read_text(encoding="utf-8")
    for name in ("magicmind", "first-hour")
    for language in LANGUAGES
}

#: Section of the page -> options of magicmind_cloud 1.7: export.py, build_param.py and infer.py.
SAMPLE = {
    "export_model": "model_path pt_model batch_size max_seq_length",
    "gen_model": """input_dims batch_size rgb2bgr mlu_arch cluster_num precision means vars toolchain_path
input_layout output_layout dim_range_min dim_range_max build_config dynamic_shape computation_preference
type64to32_conversion conv_scale_fold device_id random_calib_range file_list calibration_data_path calibration
rpc_server calibration_algo weight_quant_granularity activation_quant_algo input_dtypes output_dtypes
magicmind_model plugin_path tf_pb input_names output_names pytorch_pt pt_input_dtypes onnx prototxt caffemodel""",
    "infer_python": """device_id magicmind_model json_file batch_size max_seq_length compute_accuracy output_dir
acc_result""",
}


def blocks(text: str) -> list[str]:
    """Code blocks without their comments."""
    return [re.sub(r" +# .*", "", block) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]


def table_codes(text: str) -> list[list[str]]:
    """What is code in each row of the tables; the order within a row is that of the language."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [sorted(re.findall(r"`([^`]+)`", row)) for row in rows]


def inline_codes(text: str) -> list[str]:
    """What is code in the prose; the order is that of the language."""
    prose = re.sub(r"```.*?```|^\|.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    return sorted(re.findall(r"`([^`]+)`", prose))


def places(text: str) -> list[str]:
    """The pages and sites that a text links to; headings, and which of the two languages, are left out."""
    return sorted(
        re.sub(r"(\.zh)?\.md(#.*)?$", "", place) for place in re.findall(r"\]\(([^)#]+[^)]*)\)", text)
    )


@pytest.mark.parametrize("page", ["magicmind", "first-hour"])
def test_same_page(page: str) -> None:
    """Both languages have the same headings, commands, tables, code and links, and name each other."""
    english, chinese = (PAGES[page + language] for language in LANGUAGES)
    assert f"({page}.zh.md)" in english
    assert f"({page}.md)" in chinese
    assert blocks(english) == blocks(chinese)
    assert table_codes(english) == table_codes(chinese)
    assert inline_codes(english) == inline_codes(chinese)
    assert places(english) == places(chinese)
    levels = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in (english, chinese)]
    assert levels[0] == levels[1]


def test_first_hour() -> None:
    """The page has ten commands, each of one line, and the other page leads to it."""
    for language in LANGUAGES:
        page = PAGES["first-hour" + language]
        assert [str(number) for number in range(1, 11)] == re.findall(r"^## (\d+)\.", page, re.MULTILINE)
        assert f"(first-hour{language})" in PAGES["magicmind" + language]
        assert f"(magicmind{language}#" in page
        # A heading, a command of one line, and what it must print.
        steps = re.split(r"^## (?:\d+\.)?", page, flags=re.MULTILINE)[1:-1]
        assert [1] * 10 == [len(block.splitlines()) for step in steps for block in blocks(step)]


@pytest.mark.parametrize("page", ["magicmind.zh.md", "first-hour.zh.md", "words.zh.js"])
def test_chinese_is_set_as_chinese(page: str) -> None:
    """Chinese has punctuation of its own, and spaces only where it meets Latin letters and figures."""
    text = PAGES.get(page) or (WORDS / page).read_text(encoding="utf-8")
    text = re.sub(r"```.*?```|\]\([^)]*\)|[*\[\]]", "", text, flags=re.DOTALL)
    text = re.sub(r"`[^`]*`|\{\w+\}", "code", text)
    wrong = "HAN[a-zA-Z0-9]|[a-zA-Z0-9%]HAN|HAN *[,;:!?()]|[,;:!?()] *HAN|HAN[.]|HAN +HAN"
    wrong = wrong.replace("HAN", "[\u4e00-\u9fff]")
    assert [] == re.findall(f".*(?:{wrong}).*", text)


@pytest.mark.parametrize("section", SAMPLE)
@pytest.mark.parametrize("name", ["magicmind.md", "magicmind.zh.md"])
def test_every_parameter_of_the_sample(name: str, section: str) -> None:
    """The page says of every parameter of the sample where it went."""
    table = PAGES[name].partition(f"\n### {section}\n")[2].partition("\n#")[0]
    firsts = " ".join(row.split(" | ")[0] for row in table.splitlines() if row.startswith("|"))
    told = re.findall(r"`--(\w+)[^`]*`", firsts)
    assert sorted(SAMPLE[section].split()) == sorted(told)
