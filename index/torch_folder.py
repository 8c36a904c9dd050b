"""The bundled model, unquantised, as a folder of sentence-transformers.

For measuring what int8 costs, and for whoever wants the model in torch; serving does not use it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.weights import WeightFile

_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def _tensors(weights: WeightFile) -> dict[str, NDArray[np.float32]]:
    """Every weight under the name that transformers' BertModel gives it."""
    shape = weights.shape
    tensors = {
        "embeddings.word_embeddings.weight": weights.matrix("emb.word", shape.hidden),
        "embeddings.position_embeddings.weight": weights.vector("emb.pos").reshape(
            shape.positions, shape.hidden
        ),
        "embeddings.token_type_embeddings.weight": weights.vector("emb.type").reshape(
            shape.types, shape.hidden
        ),
        "embeddings.LayerNorm.weight": weights.vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": weights.vector("emb.ln.b"),
        # BertModel wants a pooler, which nothing reads; without one it would make a random one.
        "pooler.dense.weight": np.eye(shape.hidden, dtype=np.float32),
        "pooler.dense.bias": np.zeros(shape.hidden, dtype=np.float32),
    }
    for layer in range(shape.layers):
        for short, long in _LAYER.items():
            name, target = f"l{layer}.{short}", f"encoder.layer.{layer}.{long}"
            tensors[f"{target}.bias"] = weights.vector(f"{name}.b")
            if short.endswith("ln"):
                tensors[f"{target}.weight"] = weights.vector(f"{name}.w")
            else:
                columns = shape.ffn if short == "fo" else shape.hidden
                tensors[f"{target}.weight"] = weights.matrix(f"{name}.w", columns)
    return tensors


def write(
    weights: WeightFile, tokenizer: Path, folder: Path, *, query_prompt: str, passage_prompt: str
) -> None:
    """Writes the model into `folder`, which exists and is empty.

    Args:
        weights: of the bundled model.
        tokenizer: its tokenizer.json.
        folder: takes 490 MB.
        query_prompt: put before a question.
        passage_prompt: put before a passage.
    """
    from safetensors.numpy import save_file

    shape = weights.shape
    save_file(_tensors(weights), folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    pooling = folder / "1_Pooling"
    pooling.mkdir()
    files: dict[Path, object] = {
        folder / "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_act": "gelu",
            "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.ffn,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.types,
            "layer_norm_eps": shape.epsilon,
            "pad_token_id": weights.special[2],
            "torch_dtype": "float32",
        },
        folder / "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.positions,
            "model_input_names": ["input_ids", "attention_mask"],
            "bos_token": "<s>",
            "cls_token": "<s>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "mask_token": "<mask>",
        },
        folder / "sentence_bert_config.json": {
            "max_seq_length": shape.positions,
            "do_lower_case": False,
        },
        folder / "config_sentence_transformers.json": {
            "prompts": {"query": query_prompt, "passage": passage_prompt},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        pooling / "config.json": {
            "word_embedding_dimension": shape.hidden,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_cls_token": False,
            "pooling_mode_max_tokens": False,
        },
        folder / "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {
                "idx": 1,
                "name": "1",
                "path": "1_Pooling",
                "type": "sentence_transformers.models.Pooling",
            },
            {
                "idx": 2,
                "name": "2",
                "path": "2_Normalize",
                "type": "sentence_transformers.models.Normalize",
            },
        ],
    }
    for path, content in files.items():
        path.write_text(json.dumps(content, indent=2))
