import pytest

from index.tokens import fold
from rag.across import differ, share, supported
from rag.cite import support_of
from rag.support import agrees
from rag.types import Article, Block, BlockKind, Span, Support

RESERVOIR = "三峡工程总容量393亿立方米，2022年8月，重庆的发电站没有停电。"


def article_of(text):
    block = Block(BlockKind.BODY, Span(0, len(text)))
    return Article("a" * 16, text, (block,))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("The project has a total storage capacity of 39.3 billion cubic metres.", True),
        ("The project has a total storage capacity of 39.4 billion cubic metres.", False),
        ("In August 2022 the power stations of Chongqing kept running.", True),
        ("In July 2022 the power stations of Chongqing kept running.", False),
        ("In August 2022 the power stations of Guangdong kept running.", False),
        ("Penguins sleep standing up.", False),
    ],
)
def test_an_english_sentence_over_a_chinese_quote(said, expected):
    assert supported(said, fold(RESERVOIR)) is expected
    wanted = Support.SUPPORTED if expected else Support.UNSUPPORTED
    assert support_of(said, RESERVOIR, article_of(RESERVOIR)) is wanted


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("两座城市之间的铁路全长300公里。", True),
        ("两座城市之间的铁路全长301公里。", False),
        ("熊猫吃竹子。", False),
        ("Zircon的两座城市之间的铁路全长300公里。", True),
        ("Quartz的两座城市之间的铁路全长300公里。", False),
    ],
)
def test_a_chinese_sentence_over_an_english_quote(said, expected):
    quote = "The railway between the two cities of Zircon has a total length of 300 kilometres."
    assert supported(fold(said), fold(quote)) is expected


def test_one_language_is_not_looked_up_in_the_other():
    assert differ("A dam.", "一座大坝。")
    assert not differ("一座大坝。", "大坝。")
    assert not differ("A dam 大坝.", "大坝。")


def test_what_a_quote_denies_must_be_denied():
    assert agrees("The power station did not stop.", RESERVOIR)
    assert not agrees("The bridge was never built.", "大桥已经建成。")


def test_the_share_counts_translated_words():
    assert share("railway project", "铁路工程") == 1.0
    assert share("railway penguin", "铁路工程") == pytest.approx(0.5)
    assert share("铁路", "the railway") == 1.0
