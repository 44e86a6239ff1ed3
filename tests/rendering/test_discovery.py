"""Which font is asked first."""

from __future__ import annotations

from pathlib import Path

from pixel_lm.rendering.discovery import _fallback_order


def test_chinese_and_japanese_come_before_rare_scripts_and_symbols_last() -> None:
    names = (
        "NotoSansSymbols2-Regular.ttf NotoSansMongolian-Regular.ttf NotoSansCJK-Regular.ttc DejaVuSans.ttf "
        "NotoSansThai-Regular.ttf NotoSerifThai-Regular.ttf NotoSansAdlam-Regular.ttf NotoSerifTibetan-Regular.ttf"
    ).split()
    order = [path.name for path in _fallback_order({name: Path(name) for name in names})]
    assert order == [
        "NotoSansThai-Regular.ttf",
        "NotoSerifTibetan-Regular.ttf",
        "NotoSansCJK-Regular.ttc",
        "NotoSansAdlam-Regular.ttf",
        "NotoSansMongolian-Regular.ttf",
        "DejaVuSans.ttf",
        "NotoSansSymbols2-Regular.ttf",
    ]
