"""People's names in bylines: Chinese names by family name and length, Western ones by capitals."""

from __future__ import annotations

import re

# The family names that cover nearly all of China's population, and the common compound ones.
_FAMILY = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖萧田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦"
    "贾夏付傅方邹熊白孟秦邱侯江尹薛闫阎段雷龙黎史陶贺毛郝顾龚邵万钱严赖覃洪武莫孔汤向常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹"
    "申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉"
    "缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝官封谈匡"
    "鞠惠荆乐冀郁胥南班储原栗燕楚鄢劳谌奚皮粟冼蔺楼盘满闻位厉伊仝区郜海阚花权强帅屠豆朴盖练廉禹井祖漆巴丰支卿国狄平计索宣晋相初门云容敬来扈晁芮都"
    "普阙浦戈伏鹿薄邸雍辜羊阿乌母裘亓修邰赫杭况那宿鲜印逯隆茹诺战慕危玉银亢嵇公哈湛宾戎勾茅利於呼居揭干但尉冶斯元束檀衣信展阴昝智幸奉植衡富尧闭由"
    "邹逄邵车闾訾冷仉蹇暴啜"
)
_COMPOUND = frozenset(
    "欧阳 司马 上官 诸葛 夏侯 皇甫 尉迟 公孙 慕容 令狐 司徒 端木 东方 独孤 南宫 "
    "宇文 长孙 钟离 轩辕 百里 呼延 拓跋 淳于 申屠".split()
)
_NOT_NAMES = frozenset(
    "记者 编辑 作者 本报 通讯员 评论员 专家 教授 主任 新闻 图片 文化 时评 社论 "
    "综合 理论 经济 体育 国际 要闻 副刊 广告 专题 特刊 来源 责编 高质量 新时代 "
    "安全 方法 成果 成效 成功 成绩 成长 时间 时代 平安 平台 和谐 和平 文明 文件 "
    "文学 公告 公司 公开 公益 关注 关于 关键 原因 原则 支持 支部 强化 明确 明天 "
    "国家 国内 全国 全面 全球 全市 解读 解决 应用 应对 应急 计划 相关 相约 信息 "
    "信心 元旦 广场 高度 高考 常态 常见 路线 项目 方向 方案 方式 向上 简介 简讯 "
    "古城 古镇 海外 海南 云南 江西 江苏 安徽 河南 河北 山东 广东 湖南 湖北 贵州 "
    "四川 重庆 北京 上海 天津".split()
)
_HAN_NAME = re.compile(r"^[㐀-䶿一-鿿\U00020000-\U0002ffff]+$")
_LATIN_NAME = re.compile(r"^(?:[A-Z][\w'’.-]*|de|van|von|der|la|bin|al|del|di|Al-\w+)$")


def is_name(text: str) -> bool:
    """Whether a token is surely a name: known family name and the right length."""
    if text in _NOT_NAMES:
        return False
    if not _HAN_NAME.match(text):
        return is_latin_name(text)
    if text[:2] in _COMPOUND:
        return 3 <= len(text) <= 4
    if len(text) == 4:
        return text[0] in _FAMILY and text[1] in _FAMILY
    return 2 <= len(text) <= 3 and text[0] in _FAMILY


def is_latin_name(text: str) -> bool:
    """Whether a text is two to five capitalised Latin words, as a person's name is."""
    words = text.split()
    return (
        2 <= len(words) <= 5
        and words[0][:1].isupper()
        and words[-1][:1].isupper()
        and all(not "一" <= c <= "鿿" for c in text)
        and all(_LATIN_NAME.match(w) for w in words)
        and not any(c.isdigit() for c in text)
    )


def split_names(text: str, *, strict: bool) -> tuple[str, ...]:
    """Names in a list of names, in order; () when any token cannot be a name.

    Args:
        text: names parted by blanks, 、，,;/ or 和. Two-character names may be printed with a
            blank inside (张 三).
        strict: whether each token must begin with a known family name; otherwise two to four
            characters are enough, as after a sign that announces names.
    """
    text = text.strip(" 　、，,;；/|｜:：")
    if is_latin_name(text):
        return (text,)
    tokens = [t for t in re.split(r"[\s、，,;；/／|｜&]+", text) if t]
    tokens = _close_spaced(tokens)
    split: list[str] = []
    for token in tokens:
        halves = token.split("和")
        whole = _fits(token, strict=strict) and len(token) <= 3
        if not whole and len(halves) == 2 and all(_fits(h, strict=strict) for h in halves):
            split.extend(halves)
        else:
            split.append(token)
    if not split or len(split) > 12 or not all(_fits(t, strict=strict) for t in split):
        return ()
    return tuple(split)


def _fits(token: str, *, strict: bool) -> bool:
    """Whether a token can be a name; beyond `is_name` only where names are announced."""
    if is_name(token):
        return True
    if not strict and ("·" in token or "•" in token):
        return all(1 <= len(p) <= 8 and _HAN_NAME.match(p) for p in re.split("[·•]", token))
    return (
        not strict
        and token not in _NOT_NAMES
        and 2 <= len(token) <= 4
        and bool(_HAN_NAME.match(token))
    )


def _close_spaced(tokens: list[str]) -> list[str]:
    """张 三 李四 王 五 → 张三 李四 王五."""
    closed: list[str] = []
    i = 0
    while i < len(tokens):
        pair = "".join(tokens[i : i + 2])
        if len(tokens[i]) == 1 and i + 1 < len(tokens) and len(tokens[i + 1]) == 1:
            closed.append(pair)
            i += 2
        else:
            closed.append(tokens[i])
            i += 1
    return closed
