"""Writes the int8 graph of the bundled model: observes it unquantised once, then quantises it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from index import graph
from index.weights import WeightFile

# Which channels are large is a property of the model, not of the text: a few sentences in the
# languages and manner of the archive show it. Changing them changes the model's fingerprint.
SENTENCES = (
    "query: 全市今年计划新建多少个社区食堂？",
    "query: 是谁主持了这次座谈会",
    "query: When will the second phase of the metro line open, and how much does it cost?",
    "passage: 本报讯（记者 李明）昨日，市政府召开常务会议，研究部署第三季度经济工作。"
    "会议指出，上半年全市地区生产总值达到1.58万亿元，同比增长6.2%，高于全国平均水平0.7个百分点；"
    "规模以上工业增加值增长8.1%。会议要求，各区县、各部门要坚持稳中求进，抓好重大项目建设，"
    "切实保障和改善民生。",
    "passage: 清晨六点，老街的面馆已经坐满了人。“一碗小面，多放点海椒！”"
    "王师傅一边煮面，一边和街坊打招呼。三十年来，他从未换过这口锅。",
    "passage: 一是完善体制机制，二是加大财政投入，三是强化人才支撑。"
    "到2027年，建成国家级创新平台20个以上，研发经费投入强度达到2.8%，培育“专精特新”企业1500家。（作者单位：市社会科学院）",
    "passage: The municipal government said on Tuesday that it would spend 3.2 billion yuan over "
    "five years to renovate 1,200 old residential communities, install lifts and build parks. "
    '"Residents come first," the deputy mayor told reporters.',
    "passage: 據統計，二〇二三年訪港旅客約三千四百萬人次，其中內地旅客佔七成九。",
    "passage: http://www.example.com/a?id=1 表1　2019—2023年主要指标（单位：亿元）★",
)
# How much of a channel's size moves into the weights, 0 to 1. Chosen among .65, .7 ... .9 by the
# cosine to the unquantised vectors on a sample of XQuAD (Chinese paragraphs, questions in both
# languages); .65 and .7 are about equal, above .75 it gets worse. Lower values were tried only on
# other sentences and fewer texts, where .5 and below were clearly worse.
SMOOTHING = 0.65


def write_int8(weights: WeightFile, tokenizer: Path, target: Path) -> None:
    """Writes the encoder's int8 graph to `target`, about 83 MB; takes seconds and 1 GB of memory.

    Raises:
        ValueError: the weight file lacks a tensor.
        OSError: `target` cannot be written.
    """
    reader = Tokenizer.from_file(str(tokenizer))
    plain = graph.build(weights, None)
    peaks = _observe(plain, [reader.encode(text).ids for text in SENTENCES])
    factors = {}
    for output in plain.graph.output[1:]:
        seen = peaks[output.name]
        layers = output.doc_string.split()
        matrices = [weights.matrix(f"{layer}.w", len(seen)) for layer in layers]
        factors[output.name] = _factor(seen, np.concatenate(matrices))
    onnx.save(graph.build(weights, factors), str(target))


def _observe(
    model: onnx.ModelProto, texts: Sequence[Sequence[int]]
) -> Mapping[str, NDArray[np.float32]]:
    """The largest magnitude of each channel of the linear layers' inputs, (columns,), by name."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()][1:]
    peaks: dict[str, NDArray[np.float32]] = {}
    for ids in texts:
        tensors = session.run(names, {"input_ids": np.array([ids], dtype=np.int64)})
        for name, tensor in zip(names, tensors, strict=True):
            seen = np.abs(tensor[0]).max(axis=0)
            peaks[name] = np.maximum(peaks[name], seen) if name in peaks else seen
    return peaks


def _factor(peaks: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """What to divide each input channel by, float32, (columns,), all above 0."""
    tiny = np.float32(1e-5)
    loads = np.maximum(np.abs(matrix).max(axis=0), tiny)
    factor = np.maximum(peaks, tiny) ** SMOOTHING / loads ** (1 - SMOOTHING)
    smooth: NDArray[np.float32] = (factor / np.exp(np.log(factor).mean())).astype(np.float32)
    return smooth
