"""Train the model on one CPU thread: `python3 train.py FOLDER`. Checkpoints in FOLDER; run again to resume."""

import argparse
import json
import math
import os
import random
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import sentencepiece as spm

# Debian's PyTorch multiplies with OpenBLAS, which has threads of its own; two on shared cores are slower than one
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from net import Config, Llama  # noqa: E402

SEED = 20261122
BATCH_TOKENS = 2048
PEAK = 3e-3
WARMUP = 150
PROMPT_WEIGHT = 0.1
PROMPT_SHARE = 0.2
SAVE_EVERY = 430
KEEP = 4


def encode(folder: Path) -> list[tuple[list[int], list[int]]]:
    """Each sample as (tokens, whether the token is part of a reply)."""
    model = spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    control = {name: model.piece_to_id(f"<|{name}|>") for name in ("end", "user", "assistant", "system", "translate", "en", "de", "es", "fr", "ru")}
    samples: list[tuple[list[int], list[int]]] = []
    with (folder / "train.jsonl").open(encoding="utf-8") as file:
        for line in file:
            kind, *rest = json.loads(line)
            tokens, reply = [model.bos_id()], [0]

            def add(ids: list[int], flag: int) -> None:
                tokens.extend(ids)
                reply.extend([flag] * len(ids))

            if kind == "chat":
                system, *turns = rest
                if system:
                    add([control["system"], *model.encode(system)], 0)
                for user, answer in zip(turns[::2], turns[1::2]):
                    add([control["user"], *model.encode(user), control["assistant"]], 0)
                    add([*model.encode(answer), control["end"]], 1)
            else:
                target, text, answer = rest
                add([control["translate"], control[kind], control[target], *model.encode(text), control["assistant"]], 0)
                add([*model.encode(answer), control["end"]], 1)
            if len(tokens) <= Config.context:
                samples.append((tokens, reply))
    return samples


def batches(samples: list[tuple[list[int], list[int]]], skip: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of samples of like length; the first `skip` are passed over when a run resumes."""
    count, epoch = 0, 0
    while True:
        rng = random.Random(SEED + epoch)
        order = sorted(range(len(samples)), key=lambda i: (len(samples[i][0]) + rng.random() * 3))
        groups: list[list[int]] = [[]]
        for i in order:
            if (len(groups[-1]) + 1) * len(samples[i][0]) > BATCH_TOKENS and groups[-1]:
                groups.append([])
            groups[-1].append(i)
        rng.shuffle(groups)
        for group in groups:
            count += 1
            if count <= skip:
                continue
            longest = max(len(samples[i][0]) for i in group)
            tokens = torch.zeros(len(group), longest, dtype=torch.long)
            weights = torch.zeros(len(group), longest)
            # The prompt teaches a little grammar too, in some batches, at a small weight
            prompt = PROMPT_WEIGHT if rng.random() < PROMPT_SHARE else 0.0
            for row, i in enumerate(group):
                ids, reply = samples[i]
                tokens[row, : len(ids)] = torch.tensor(ids)
                weights[row, : len(ids)] = torch.tensor([1.0 if flag else prompt for flag in reply])
            yield tokens, weights
        epoch += 1


def rate(step: int, steps: int, decay: int) -> float:
    """Warm up, stay, then go down to nothing over the last `decay` steps."""
    return PEAK * min(1.0, (step + 1) / WARMUP) * min(1.0, max(0.0, (steps - step) / decay))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=8400)
    parser.add_argument("--decay", type=int, default=4800)
    parser.add_argument("--until", type=int, default=7395, help="stop here, before the schedule ends")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    torch.set_flush_denormal(True)
    folder: Path = arguments.folder
    config = Config()
    model = Llama(config)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    norms = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.05}, {"params": norms, "weight_decay": 0.0}], betas=(0.9, 0.98))
    step, seconds, average = 0, 0.0, math.nan
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, seconds = saved["step"], saved["seconds"]

    samples = encode(folder)
    total = sum(len(tokens) for tokens, _ in samples)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(samples)} samples, {total} tokens", flush=True)

    def save() -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "config": asdict(config), "step": step, "seconds": seconds}
        torch.save(state, folder / "checkpoint.tmp")
        (folder / "checkpoint.tmp").replace(checkpoint)
        # The export averages the weights of the last few
        (folder / f"weights-{step:06}.pt").write_bytes(checkpoint.read_bytes())
        for old in sorted(folder.glob("weights-*.pt"))[:-KEEP]:
            old.unlink()

    started, seen = time.monotonic(), 0
    base = seconds
    for tokens, weights in batches(samples, step):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, arguments.steps, arguments.decay)
        loss = model.loss(tokens, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step, seen = step + 1, seen + tokens.numel()
        seconds = base + time.monotonic() - started
        average = loss.item() if math.isnan(average) else 0.98 * average + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"step {step} loss {average:.4f} {seen / (time.monotonic() - started):.0f} tok/s {seconds:.0f} s", flush=True)
        if step % SAVE_EVERY == 0 or step >= arguments.until:
            save()
        if step >= arguments.until:
            break


if __name__ == "__main__":
    main()
