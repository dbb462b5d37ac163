"""Train the SentencePiece tokenizer on the corpus: `python3 tokenizer.py FOLDER`."""

import json
import sys
from pathlib import Path

import sentencepiece as spm

CONTROL = [
    "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|translate|>",
    "<|en|>", "<|de|>", "<|es|>", "<|fr|>", "<|ru|>",
]
VOCABULARY = 3072


def texts(folder: Path) -> list[str]:
    """Every distinct text of the corpus, in a fixed order."""
    found: dict[str, None] = {}
    with (folder / "train.jsonl").open(encoding="utf-8") as file:
        for line in file:
            sample = json.loads(line)
            for text in sample[2:] if sample[0] != "chat" else sample[1:]:
                # Every distinct text counts once: the word's frequency is that of the language, not of the sampling
                found.update((part, None) for part in text.split("\n"))
    return [text for text in found if text]


def main() -> None:
    folder = Path(sys.argv[1])
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(texts(folder)),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=VOCABULARY,
        byte_fallback=True,
        character_coverage=0.9999,
        control_symbols=CONTROL,
        # llama.cpp neither normalizes nor trims, and a reply should start without a space
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        split_digits=True,
        max_sentence_length=8192,
        num_threads=1,
        minloglevel=1,
    )


if __name__ == "__main__":
    main()
