"""The command `pixel-lm`, with FSDP on CPUs: accelerate offers it on GPUs only, torch on both.

Run by `test_distributed.py` under torchrun. What is changed is the one place where accelerate decides; sharding, gathering and saving are
the real ones, with gloo.
"""

from __future__ import annotations

import sys
from typing import Any

import accelerate.state
from accelerate.utils import DistributedType

original = accelerate.state.PartialState.__init__


def as_if_on_gpus(self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    if self._shared_state.get("distributed_type") == DistributedType.MULTI_CPU:
        self._shared_state["distributed_type"] = DistributedType.MULTI_GPU


accelerate.state.PartialState.__init__ = as_if_on_gpus

if __name__ == "__main__":
    from pixel_lm.cli.main import main

    sys.exit(main())
