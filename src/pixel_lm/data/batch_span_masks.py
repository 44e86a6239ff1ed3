"""Span masks of a whole batch at once, with torch, on whatever device.

The process is that of `SpanMasker`: per span up to 100 attempts, each a length and a place, of which the first one is taken
that finds room; so masks have the same distribution, though not the same values. Rows are independent: all of them make
`_ATTEMPTS_AT_ONCE` attempts in one go, and what has been masked before is looked up in running sums.

Random numbers are counted, not drawn from a state: number n of a row is a hash of the row's key and n (SplitMix64; Steele et
al., 2014). A mask thus depends on its key alone: not on the batch around it, the device, the number of processes or where a
run was resumed.
"""

from __future__ import annotations

import hashlib

import torch

from pixel_lm.data.span_masks import ATTEMPTS, SpanMasker

_ATTEMPTS_AT_ONCE = 20  # a divisor of ATTEMPTS
_ROUNDS_BETWEEN_CHECKS = 8  # asking whether all rows are done waits for the device

_GOLDEN = 0x9E3779B97F4A7C15
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def mask_key(seed: int, epoch: int, index: int) -> int:
    """Key of the mask of an example: 64 bits, as a signed integer."""
    digest = hashlib.blake2b(f"{seed}/{epoch}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def draw_span_masks(
    masker: SpanMasker,
    length: int,
    num_attended: torch.Tensor,
    keys: torch.Tensor | None = None,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Draw a mask for each row of a batch.

    Args:
        masker: part of the patches, lengths of spans, spacing.
        length: patches in each row.
        num_attended: int64 (batch,), the first span of a row lies within this many patches at the beginning (as
            `num_text_patches` of `SpanMasker`). The masks are drawn on its device.
        keys: int64 (batch,), what the masks depend on, see `mask_key`. None: drawn from `generator`.
        generator: on the device of `num_attended`; without keys and generator, torch's own is used.

    Returns:
        uint8 (batch, length), 1 = masked: `masker.num_masked(length)` in each row, or fewer where 100 attempts in a row found
        no room.

    Raises:
        ValueError: there is nothing to mask, or a shape does not fit.
    """
    batch, device = len(num_attended), num_attended.device
    if length < 1 or (batch and int(num_attended.min()) < 1 and device.type == "cpu"):
        raise ValueError(f"cannot mask {length} patches, {num_attended.tolist()} of them attended")
    if keys is None:
        keys = torch.randint(-(2**63), 2**63 - 1, (batch,), generator=generator, device=device)
    if keys.shape != (batch,):
        raise ValueError(f"keys of shape {tuple(keys.shape)} for {batch} rows")
    target = masker.num_masked(length)
    weights = masker.cumulative_span_weights or tuple(range(1, masker.max_span_length + 1))
    bounds = torch.tensor([weight / weights[-1] for weight in weights[:-1]], dtype=torch.float64, device=device)
    counters = torch.arange(_ATTEMPTS_AT_ONCE, device=device)
    places = torch.arange(length, device=device)

    mask = torch.zeros(batch, length, dtype=torch.bool, device=device)
    masked_before = torch.zeros(
        batch, length + 1, dtype=torch.int32, device=device
    )  # number of masked patches left of each
    end = num_attended.clamp(max=length).unsqueeze(1)  # (batch, 1): where the next attempt may end
    failed = torch.zeros(batch, 1, dtype=torch.int64, device=device)  # attempts for this span that found no room
    rounds = 0
    while True:
        count = masked_before[:, -1:]
        if rounds % _ROUNDS_BETWEEN_CHECKS == 0 and bool(((count >= target) | (failed >= ATTEMPTS)).all()):
            return mask.to(torch.uint8)
        bits = _hash(keys.unsqueeze(1), counters + rounds * _ATTEMPTS_AT_ONCE)  # (batch, attempts)
        # The upper half of the bits gives the length, the lower one the place.
        uniform = ((bits >> 32) & 0xFFFFFFFF).to(torch.float64) / 2**32
        spans = 1 + torch.bucketize(uniform, bounds, right=True)
        possible = spans < length
        # Only the first possible attempt of a mask keeps to the attended patches.
        first = possible & (possible.cumsum(1) == 1)
        last = torch.where(first, end, length)
        left = ((bits & 0xFFFFFFFF) * ((last - spans).clamp(min=0) + 1)) >> 32
        right = (left + spans).clamp(max=length)
        inside = masked_before.gather(1, right) - masked_before.gather(1, left)
        new = spans - inside
        fits = possible & (new > 0) & (new <= (target - count).clamp(max=masker.max_span_length))
        gap = spans if masker.spacing == "span" else masker.spacing
        if masker.spacing != 0:
            around = masked_before.gather(1, (right + gap).clamp(max=length))
            around = around - masked_before.gather(1, (left - gap).clamp(min=0))
            fits &= around == inside
        fits &= failed < ATTEMPTS
        found = fits.any(1, keepdim=True)
        chosen = fits.to(torch.uint8).argmax(1, keepdim=True)  # the first
        start = left.gather(1, chosen)
        stop = torch.where(found, right.gather(1, chosen), start)
        mask |= (places >= start) & (places < stop)
        masked_before[:, 1:] = mask.cumsum(1)
        end = torch.where(possible.any(1, keepdim=True), length, end)
        # A mask that could not be completed stays as it is.
        failed = torch.where(found, 0, failed + _ATTEMPTS_AT_ONCE)
        rounds += 1


def _hash(keys: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    """64 random bits for each pair of key and counter; int64, wrapping around."""
    state = keys + (counters + 1) * _signed(_GOLDEN)
    state = (state ^ _shifted(state, 30)) * _signed(_MIX[0])
    state = (state ^ _shifted(state, 27)) * _signed(_MIX[1])
    return state ^ _shifted(state, 31)


def _shifted(state: torch.Tensor, by: int) -> torch.Tensor:
    """Shifted to the right, with zeros coming in: torch has signed integers only."""
    return (state >> by) & ((1 << (64 - by)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
