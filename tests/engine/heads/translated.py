"""A draft of the embedded target with a tokenizer of its own: 1,024 tokens, learnt from
the target's texts.
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.engine.heads.trained import School

END = "<|endoftext|>"


def draft(of: School, folder: Path, *, n_steps: int = 150) -> Path:
    """Most of its tokens are the target's, under other numbers."""
    texts = of.pair.tokenizer.batch_decode(of.ids[:, :-4])
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=["<pad>", END],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END)
    made.pad_token = made.convert_ids_to_tokens(0)
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        eos_token_id=1,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    model: Any = LlamaForCausalLM(config)
    rows = made(texts, padding=True, return_tensors="pt")["input_ids"]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(n_steps):
        batch = rows[torch.randint(len(rows), (16,), generator=generator)]
        logits = model(batch[:, :-1]).logits.flatten(0, 1)
        loss = cross_entropy(logits, batch[:, 1:].flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
