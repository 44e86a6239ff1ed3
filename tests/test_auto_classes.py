"""The Auto classes of transformers after `import pixel_lm`, whichever comes first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pixel_lm import PixelConfig, PixelForTokenClassification, TextRenderer

USE = """
from transformers import AutoConfig, AutoModelForTokenClassification, AutoProcessor
assert type(AutoConfig.from_pretrained(folder)).__name__ == "PixelConfig"
renderer = AutoProcessor.from_pretrained(folder, max_seq_length=20)
assert type(renderer).__name__ == "TextRenderer" and renderer.max_seq_length == 20
model = AutoModelForTokenClassification.from_pretrained(folder)
assert model(**renderer.batch(["some text"], return_tensors="pt")).logits.shape[-1] == 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    config = PixelConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[16, 640],
        num_labels=3,
    )
    PixelForTokenClassification(config).save_pretrained(folder)
    TextRenderer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "imports",
    [
        "import pixel_lm; import transformers",
        "from transformers import AutoConfig, AutoProcessor; import pixel_lm",
        "from transformers import AutoModel; from pixel_lm import TextRenderer",
        "import pixel_lm.models",
        "import pixel_lm; from transformers import Trainer",
        "import pixel_lm; import transformers.modeling_utils",
        "import pixel_lm; from transformers import PreTrainedModel, TrainerCallback",
        "import pixel_lm; from transformers import PreTrainedModel, Trainer",
        "import pixel_lm; from transformers import AutoModel",
        "import pixel_lm; from transformers.models.auto.configuration_auto import AutoConfig",
    ],
)
def test_auto_classes_know_pixel_models(folder: Path, imports: str) -> None:
    code = f"{imports}\nfolder = {str(folder)!r}\n{USE}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
