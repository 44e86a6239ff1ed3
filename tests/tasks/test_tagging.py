"""Words, patches and tags."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pixel_lm.data.conllu import read_conllu
from pixel_lm.errors import UserError
from pixel_lm.models import PixelConfig, PixelForTokenClassification
from pixel_lm.rendering import TextRenderer
from pixel_lm.tasks import get_task, tagging
from pixel_lm.tasks.pos import TASK, UPOS
from pixel_lm.tasks.tagging import TaggingDataset, label_words, tag
from pixel_lm.tasks.task import evaluate_task

LABELS = {name: i for i, name in enumerate(UPOS)}
WORDS = [
    ["Ein", "kleiner", "Satz", "."],
    ["नमस्ते", "दुनिया"],
    ["Việt Nam", "đẹp"],
    ["x"] * 30,
    ["Donaudampfschifffahrtsgesellschaft" * 4, "ja"],
]


@pytest.fixture(scope="module")
def renderer() -> TextRenderer:
    return TextRenderer(max_seq_length=24)


@pytest.fixture(scope="module")
def model() -> PixelForTokenClassification:
    torch.manual_seed(0)
    config = PixelConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, image_size=(16, 16 * 24),
        id2label=dict(enumerate(UPOS)), label2id=LABELS, initializer_range=0.5,  # so that tags differ
    )  # fmt: skip
    return PixelForTokenClassification(config).eval()


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    path = tmp_path / "a-ud-train.conllu"
    text = ""
    for words in WORDS:
        rows = [f"{i}\t{word}\t_\t{UPOS[i % 17]}\t_\t_\t_\t_\t_\t_" for i, word in enumerate(words, start=1)]
        text += "\n".join(rows) + "\n\n"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_tags_are_those_of_universal_dependencies() -> None:
    assert len(UPOS) == 17 and list(UPOS) == sorted(UPOS)
    assert get_task("pos") is TASK
    with pytest.raises(UserError, match="unknown task 'nothing'"):
        get_task("nothing")


def test_labels_stand_on_the_first_patch_of_each_word(renderer: TextRenderer) -> None:
    rendering = renderer(["Ein", "kleiner", "Satz", "."])
    labels = label_words(rendering, [3, 0, 7, 12])
    assert labels.shape == (len(rendering),) and labels.dtype == np.int64
    assert rendering.word_starts is not None
    assert [labels[start] for start in rendering.word_starts[:-1]] == [3, 0, 7, 12]
    assert (labels != -100).sum() == 4 and labels[-1] == -100


def test_words_that_do_not_fit_have_no_label(renderer: TextRenderer) -> None:
    rendering = renderer(["x"] * 30)
    assert rendering.word_starts is not None
    fit = len(rendering.word_starts) - 1
    labels = label_words(rendering, list(range(30)))
    assert 0 < fit < 30 and [label for label in labels if label >= 0] == list(range(fit))


def test_dataset(treebank: Path, renderer: TextRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = read_conllu(treebank)
    dataset = TaggingDataset(TASK, sentences, renderer, LABELS)
    assert len(dataset) == 5 and dataset.num_words == sum(map(len, WORDS))
    assert dataset.lengths == [len(renderer(words)) for words in WORDS] == [len(dataset[i].patches) for i in range(5)]
    np.testing.assert_array_equal(dataset[1].patches, renderer(WORDS[1]).patches)
    # Without room in memory sentences are rendered anew, with the same result.
    monkeypatch.setattr(tagging, "CACHE_BYTES", dataset[0].patches.nbytes)
    small = TaggingDataset(TASK, sentences, renderer, LABELS)
    assert list(small._cache.items) == [0]
    for i in range(5):
        np.testing.assert_array_equal(small[i].patches, dataset[i].patches)
        np.testing.assert_array_equal(small[i].labels, dataset[i].labels)


def test_each_word_gets_the_tag_of_its_patch(model: PixelForTokenClassification, renderer: TextRenderer) -> None:
    seen: set[str] = set()
    for words in WORDS[:3]:
        rendering = renderer(words)
        patches = torch.from_numpy(np.ascontiguousarray(rendering.patches)).view(1, -1, 256)  # (1, n, 16·16)
        with torch.no_grad():
            best = model(patches).logits[0].argmax(-1)
        assert rendering.word_starts is not None
        expected = [UPOS[best[start]] for start in rendering.word_starts[:-1]]
        assert tag(model, renderer, [words]) == [expected]
        seen.update(expected)
    assert len(seen) > 1


def test_tags_do_not_depend_on_the_batch(model: PixelForTokenClassification, renderer: TextRenderer) -> None:
    done: list[int] = []
    together = tag(model, renderer, WORDS, batch_size=2, progress=done.append)
    assert together == [tag(model, renderer, [words])[0] for words in WORDS]
    assert [len(tags) for tags in together] == [len(words) for words in WORDS]
    assert sum(done) == len(WORDS)


def test_long_sentences_go_on_in_further_strips(model: PixelForTokenClassification, renderer: TextRenderer) -> None:
    starts = renderer(WORDS[3]).word_starts
    assert starts is not None
    first = len(starts) - 1
    tags = tag(model, renderer, [WORDS[3]])[0]
    assert tags[first:] == tag(model, renderer, [WORDS[3][first:]])[0]
    assert tag(model, renderer, []) == [] and tag(model, renderer, [[], ["a"]])[0] == []


def test_evaluation_counts_what_prediction_says(
    model: PixelForTokenClassification, renderer: TextRenderer, treebank: Path
) -> None:
    sentences = read_conllu(treebank)
    dataset = TaggingDataset(TASK, sentences, renderer, LABELS)
    right = total = fit = 0
    for sentence in sentences:
        starts = renderer(sentence.forms).word_starts
        assert starts is not None
        tags = tag(model, renderer, [sentence.forms])[0][: len(starts) - 1]
        right += sum(t == word.upos for t, word in zip(tags, sentence.words, strict=False))
        fit += len(tags)
        total += len(sentence.words)
    for batch_size in (1, 3, 64):
        scores = evaluate_task(TASK, model, dataset, batch_size)
        assert scores["accuracy"] == pytest.approx(right / fit)
        assert scores["coverage"] == pytest.approx(fit / total)
        assert scores["accuracy_all_words"] == pytest.approx(right / total)


def test_tags_are_read_and_written(treebank: Path) -> None:
    sentence = read_conllu(treebank)[2]
    assert TASK.read_tags(sentence) == ["ADP", "ADV"]
    changed = TASK.write_tags(sentence, ["PROPN", "ADJ"])
    assert changed == "1\tViệt Nam\t_\tPROPN\t_\t_\t_\t_\t_\t_\n2\tđẹp\t_\tADJ\t_\t_\t_\t_\t_\t_\n\n"


def test_labels_agree_with_the_recorded_training(shared_dir: Path) -> None:
    """The first sentences of English-EWT have the labels, at the patches, that the original gave them."""
    folder = shared_dir / "reference/training/pos_en_ewt"
    settings = json.loads((folder / "settings.json").read_text())
    assert tuple(settings["labels"]) == UPOS
    renderer = TextRenderer(max_seq_length=256)
    if renderer.font_sources[0].sha256 != settings["renderer"]["font_sha256"]:
        pytest.skip("recorded with another font")
    recorded = np.load(folder / "train_inputs.npz")["labels"]
    sentences = TASK.read(TASK.find_file(shared_dir / "data/ud/UD_English-EWT", "train"))[: len(recorded)]
    dataset = TaggingDataset(TASK, sentences, renderer, LABELS)
    for i in range(len(dataset)):
        example = dataset[i]
        np.testing.assert_array_equal(example.labels, recorded[i, : len(example.labels)])
        assert (recorded[i, len(example.labels) :] == -100).all()
