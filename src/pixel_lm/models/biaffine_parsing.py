"""`PixelForBiaffineParsing`: the head of each word and its relation (Dozat & Manning, 2017), words being runs of patches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import initialization as init
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from pixel_lm.models.base import PixelPreTrainedModel
from pixel_lm.models.config import PixelConfig
from pixel_lm.models.encoder import PixelModel

__all__ = ["PixelForBiaffineParsing", "PixelParserOutput", "merge_patches"]


@dataclass
class PixelParserOutput(ModelOutput):
    """What the parser returns.

    Attributes:
        loss: cross-entropy over heads plus that over relations, given the true head.
        arc_logits: (batch, words, 1 + words), score of each head for each word; head 0 is the root.
        rel_logits: (batch, words, num_labels), score of each relation between a word and the head that was given (in training the
            true one) or that scores highest; or (batch, words, 1 + words, num_labels), those to every head, if asked for.
        hidden_states, attentions: of the encoder, if asked for.
    """

    loss: torch.Tensor | None = None
    arc_logits: torch.Tensor | None = None
    rel_logits: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None


class Biaffine(nn.Module):
    """Scores of pairs of vectors, one for each output: xᵀ·W·y, with a one appended to x, and to y if asked for."""

    def __init__(self, hidden_size: int, num_outputs: int, bias_y: bool) -> None:
        super().__init__()
        self.bias_y = bias_y
        self.weight = nn.Parameter(torch.empty(num_outputs, hidden_size + 1, hidden_size + bias_y))

    def all_pairs(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """(batch, n, hidden_size), (batch, m, hidden_size) -> (batch, n, m, outputs)."""
        return torch.einsum("bxi,oij,byj->bxyo", _with_one(x), self.weight, _with_one(y) if self.bias_y else y)

    def pairs(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x of each place with y of the same place: (batch, n, hidden_size) twice -> (batch, n, outputs)."""
        y = _with_one(y) if self.bias_y else y
        projected = torch.einsum("bxi,oij->bxoj", _with_one(x), self.weight)  # (batch, n, outputs, hidden_size + bias)
        return (projected @ y.unsqueeze(-1)).squeeze(-1)


def _with_one(vectors: torch.Tensor) -> torch.Tensor:
    return nn.functional.pad(vectors, (0, 1), value=1.0)


class PixelForBiaffineParsing(PixelPreTrainedModel):
    """Encoder, one vector for each word (the mean of its patches), biaffine scores between words, and the pooled CLS as root."""

    task = "dependency parsing"
    head_modules = ("biaffine_arcs", "biaffine_rels")
    encoder_class: Callable[..., Any] = PixelModel
    label_weight = "biaffine_rels.weight"
    # Published files carry a classifier that nothing uses.
    _keys_to_ignore_on_load_unexpected = [r"^decoder\.", r"^classifier\."]  # noqa: RUF012

    def __init__(self, config: PixelConfig) -> None:
        super().__init__(config)
        self.vit = self.encoder_class(config, add_pooling_layer=True)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.biaffine_arcs = Biaffine(config.hidden_size, 1, bias_y=False)
        self.biaffine_rels = Biaffine(config.hidden_size, config.num_labels, bias_y=True)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Biaffine):
            init.zeros_(module.weight)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        word_starts: torch.Tensor | None = None,
        arc_labels: torch.Tensor | None = None,
        rel_labels: torch.Tensor | None = None,
        heads: torch.Tensor | None = None,
        output_all_relations: bool = False,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
    ) -> PixelParserOutput:
        """Parse sentences.

        Args:
            pixel_values, attention_mask: as in `PixelModel`.
            word_starts: (batch, words + 1) int64, the first patch of each word, and the patch after the last word; −100 behind.
                `words` need only be as many as the longest sentence of the batch has.
            arc_labels, rel_labels: (batch, words) int64, head (0 root, h the h-th word) and relation of each word; −100 is
                ignored.
            heads: (batch, words) int64, heads to score relations for, for instance those of a tree that was decoded from
                `arc_logits`. None: the true ones if `arc_labels` are given, else those that score highest.
            output_all_relations: score relations to every head.

        Raises:
            ValueError: `word_starts` is missing.
        """
        if word_starts is None:
            raise ValueError(
                "parsing needs word_starts, (batch, words + 1): the first patch of each word, and the end of the last"
            )
        encoded = self.vit(pixel_values, attention_mask, None, output_attentions, output_hidden_states)
        words = merge_patches(self.dropout(encoded.last_hidden_state[:, 1:]), word_starts)
        # (batch, 1 + words, hidden_size)
        candidates = torch.cat([encoded.pooler_output.unsqueeze(1), words], dim=1)
        arc_logits = self.biaffine_arcs.all_pairs(words, candidates).squeeze(-1)
        if heads is None:
            heads = arc_logits.argmax(dim=-1) if arc_labels is None else arc_labels
        if output_all_relations:
            rel_logits = self.biaffine_rels.all_pairs(words, candidates)
            at_heads = rel_logits.gather(
                2, _indices(heads)[..., None, None].expand(-1, -1, 1, rel_logits.shape[-1])
            ).squeeze(2)
        else:
            governors = candidates.gather(1, _indices(heads).unsqueeze(-1).expand(-1, -1, candidates.shape[-1]))
            rel_logits = at_heads = self.biaffine_rels.pairs(words, governors)
        loss = None
        if arc_labels is not None and rel_labels is not None:
            counted = arc_labels != -100
            loss = _mean_loss(arc_logits, arc_labels, counted) + _mean_loss(at_heads, rel_labels, counted)
        return PixelParserOutput(
            loss=loss,
            arc_logits=arc_logits,
            rel_logits=rel_logits,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )


def merge_patches(patches: torch.Tensor, word_starts: torch.Tensor) -> torch.Tensor:
    """One vector for each word: the mean of its patches, or its first patch if the next word begins in the same one.

    Args:
        patches: (batch, length, hidden_size), without CLS.
        word_starts: (batch, words + 1), −100 behind the end.

    Returns:
        (batch, words, hidden_size), zeros where there is no word.
    """
    starts, ends = word_starts[:, :-1, None], word_starts[:, 1:, None]  # (batch, words, 1)
    is_word = ends > 0
    places = torch.arange(patches.shape[1], device=patches.device)
    covered = (places >= starts) & (places < ends.maximum(starts + 1)) & is_word  # (batch, words, length)
    share = covered / covered.sum(dim=-1, keepdim=True).clamp(min=1)
    return share.to(patches.dtype) @ patches


def _indices(heads: torch.Tensor) -> torch.Tensor:
    """Heads as indices; ignored ones point at the root."""
    return heads.clamp(min=0)


def _mean_loss(logits: torch.Tensor, labels: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the words that count; 0 if there are none."""
    labels = labels.masked_fill(~counted, -100)
    total = nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100, reduction="sum"
    )
    return total / (labels != -100).sum().clamp(min=1)
