"""Write the average of the last checkpoints as GGUF v3 (q8_0) and pin it in model.json: `python3 export.py FOLDER`.

At a learning rate that has not yet come down to nothing, the average is much better than any of its parts.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

import numpy as np
import sentencepiece as spm
import torch

from net import Config
from train import SEED

ALIGNMENT = 32
F32, Q8_0 = 0, 8
U32, I32, FLOAT, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
LANGUAGES = ["en", "de", "es", "fr", "ru"]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}<|end|>"
    "{% elif message['role'] == 'system' or message['role'] == 'developer' %}<|system|>{{ message['content'] }}"
    "{% else %}<|user|>{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind: int, value: object) -> bytes:
    return text(str(value)) if kind == STRING else struct.pack({U32: "<I", I32: "<i", FLOAT: "<f", BOOL: "<?"}[kind], value)


def field(key: str, kind: int, value: object) -> bytes:
    return text(key) + struct.pack("<I", kind) + scalar(kind, value)


def array(key: str, kind: int, values: list) -> bytes:
    return text(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(scalar(kind, value) for value in values)


def quantize(matrix: np.ndarray) -> bytes:
    """q8_0: blocks of 32 numbers as one f16 scale and 32 signed bytes."""
    blocks = matrix.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 127
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    packed = np.empty(len(blocks), dtype=[("d", "<f2"), ("q", "i1", 32)])
    packed["d"], packed["q"] = scale[:, 0], np.rint(blocks * inverse).clip(-127, 127)
    return packed.tobytes()


def vocabulary(folder: Path) -> list[bytes]:
    model = spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    size = model.get_piece_size()
    kinds = [UNKNOWN if model.is_unknown(i) else CONTROL if model.is_control(i) else BYTE if model.is_byte(i) else NORMAL for i in range(size)]
    return [
        field("tokenizer.ggml.model", STRING, "llama"),
        field("tokenizer.ggml.pre", STRING, "default"),
        array("tokenizer.ggml.tokens", STRING, [model.id_to_piece(i) for i in range(size)]),
        array("tokenizer.ggml.scores", FLOAT, [model.get_score(i) for i in range(size)]),
        array("tokenizer.ggml.token_type", I32, kinds),
        field("tokenizer.ggml.bos_token_id", U32, model.bos_id()),
        field("tokenizer.ggml.eos_token_id", U32, model.piece_to_id("<|end|>")),
        field("tokenizer.ggml.eot_token_id", U32, model.piece_to_id("<|end|>")),
        field("tokenizer.ggml.unknown_token_id", U32, model.unk_id()),
        field("tokenizer.ggml.add_bos_token", BOOL, True),
        field("tokenizer.ggml.add_eos_token", BOOL, False),
        field("tokenizer.ggml.add_space_prefix", BOOL, False),
        field("tokenizer.chat_template", STRING, TEMPLATE),
    ]


def fixtures(folder: Path) -> str:
    """Texts and their SentencePiece tokens, for the test that llama.cpp agrees."""
    model = spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    found: list[str] = []
    with (folder / "train.jsonl").open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            if number % 1500 == 0:
                found += [part for part in json.loads(line)[2:] if len(part) < 200]
    found += ["  two  spaces ", "a\nb\n\nc\t", "Zürich, Ærø & 東京 🦋🙂", "x" * 40, "<|user|> is text here", "<s></s>", "3.14159 - 42%", "ПРИВЕТ, Ёлка!", " "]
    return "[\n" + ",\n".join(json.dumps({"text": t, "tokens": model.encode(t)}, ensure_ascii=False) for t in found) + "\n]\n"


def metadata(config: Config, folder: Path) -> list[bytes]:
    return [
        field("general.architecture", STRING, "llama"),
        field("general.name", STRING, "Chrysalis Tiny"),
        field("general.license", STRING, "MIT"),
        array("general.languages", STRING, LANGUAGES),
        field("general.file_type", U32, 7),
        field("general.alignment", U32, ALIGNMENT),
        field("general.quantization_version", U32, 2),
        field("chrysalis.prompt_style", STRING, "chrysalis-tiny-1"),
        array("chrysalis.languages", STRING, LANGUAGES),
        field("llama.context_length", U32, config.context),
        field("llama.embedding_length", U32, config.dim),
        field("llama.block_count", U32, config.layers),
        field("llama.feed_forward_length", U32, config.hidden),
        field("llama.attention.head_count", U32, config.heads),
        field("llama.attention.head_count_kv", U32, config.kv_heads),
        field("llama.attention.layer_norm_rms_epsilon", FLOAT, config.epsilon),
        field("llama.rope.dimension_count", U32, config.head),
        field("llama.rope.freq_base", FLOAT, config.rope_base),
        field("llama.vocab_size", U32, config.vocabulary),
        *vocabulary(folder),
    ]


def names(config: Config) -> list[tuple[str, str]]:
    """(GGUF name, PyTorch name). There is no output matrix: it is the embedding."""
    parts = [("attn_norm", "attention_norm"), ("attn_q", "q"), ("attn_k", "k"), ("attn_v", "v"), ("attn_output", "o"),
             ("ffn_norm", "ffn_norm"), ("ffn_gate", "gate"), ("ffn_up", "up"), ("ffn_down", "down")]
    blocks = [(f"blk.{i}.{gguf}.weight", f"blocks.{i}.{torch_name}.weight") for i in range(config.layers) for gguf, torch_name in parts]
    return [("token_embd.weight", "embedding.weight"), *blocks, ("output_norm.weight", "norm.weight")]


def write(path: Path, config: Config, weights: dict[str, torch.Tensor], folder: Path) -> None:
    fields = metadata(config, folder)
    infos, data = [], bytearray()
    for gguf, name in names(config):
        tensor = weights[name].numpy()
        payload = quantize(tensor) if tensor.ndim == 2 else tensor.astype("<f4").tobytes()
        shape = tensor.shape[::-1]
        infos.append(text(gguf) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, Q8_0 if tensor.ndim == 2 else F32, len(data)))
        data += payload + bytes(-len(payload) % ALIGNMENT)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(fields)) + b"".join(fields) + b"".join(infos)
    path.write_bytes(head + bytes(-len(head) % ALIGNMENT) + bytes(data))


def main() -> None:
    folder, here = Path(sys.argv[1]), Path(__file__).parent
    saved = [torch.load(path) for path in sorted(folder.glob("weights-*.pt"))]
    last = saved[-1]
    weights = {name: sum(each["model"][name] for each in saved) / len(saved) for name in last["model"]}
    config = Config(**last["config"])
    path = here / "chrysalis-tiny.gguf"
    write(path, config, weights, folder)
    content = path.read_bytes()
    pin = {
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "parameters": sum(weight.numel() for weight in weights.values()),
        "contextLength": config.context,
        "languages": LANGUAGES,
        "seed": SEED,
        "steps": [each["step"] for each in saved],
        "trainedHours": round(last["seconds"] / 3600, 2),
        "corpusSha256": hashlib.sha256((folder / "train.jsonl").read_bytes()).hexdigest(),
    }
    (here / "model.json").write_text(json.dumps(pin, indent=2) + "\n")
    (here / "tokens.json").write_text(fixtures(folder), encoding="utf-8")
    print(json.dumps(pin))


if __name__ == "__main__":
    main()
