"""The synthetic corpus: what it promises about seeds, splits, forms and trees."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from pathlib import Path

import pytest

from pixel_lm.data.synthetic import LANGUAGES, SyntheticCorpus, generate_corpus, generate_sentences, generate_text
from pixel_lm.errors import UserError
from pixel_lm.tasks.baselines import MostFrequentTag

UPOS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> SyntheticCorpus:
    return generate_corpus(tmp_path_factory.mktemp("corpus"), train=250, dev=60, test=120, seed=3)


def _columns(path: Path) -> list[list[list[str]]]:
    """Sentences of a CoNLL-U file as rows of cells."""
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    return [[line.split("\t") for line in block.split("\n") if not line.startswith("#")] for block in blocks]


def test_same_seed_gives_the_same_files_and_another_seed_does_not(tmp_path: Path, corpus: SyntheticCorpus) -> None:
    again = generate_corpus(tmp_path / "again", train=250, dev=60, test=120, seed=3)
    other = generate_corpus(tmp_path / "other", train=250, dev=60, test=120, seed=4)
    for split, path in corpus.files.items():
        assert path.name == f"pixel_grammar-ud-{split}.conllu"
        assert again.files[split].read_bytes() == path.read_bytes()
        assert other.files[split].read_bytes() != path.read_bytes()


def test_every_file_says_that_it_is_synthetic(corpus: SyntheticCorpus) -> None:
    for path in corpus.files.values():
        first_line = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert first_line.startswith("# synthetic = pixel-lm grammar, seed 3")


def test_sizes_and_languages(corpus: SyntheticCorpus) -> None:
    for split, size in {"train": 250, "dev": 60, "test": 120}.items():
        sentences = corpus.sentences[split]
        assert len(_columns(corpus.files[split])) == len(sentences) == size * len(LANGUAGES)
        assert [sentence.language for sentence in sentences[:4]] == list(LANGUAGES)


def test_no_sentence_occurs_twice(corpus: SyntheticCorpus) -> None:
    texts = [sentence.text for split in corpus.sentences.values() for sentence in split]
    assert len(set(texts)) == len(texts)
    running = [
        text for language in LANGUAGES for text in generate_text(language, 300, seed=3, exclude=corpus.surfaces())
    ]
    assert len(set(running)) == len(running) and not set(running) & set(texts)


def test_rows_are_valid_conllu_and_heads_make_one_tree(corpus: SyntheticCorpus) -> None:
    for rows in _columns(corpus.files["test"]):
        heads = [int(row[6]) for row in rows]
        assert [row[0] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
        assert all(len(row) == 10 and row[1] and " " not in row[1] for row in rows)
        assert {row[3] for row in rows} <= set(UPOS.split())
        assert heads.count(0) == 1 and rows[heads.index(0)][7] == "root"
        for start in range(len(rows)):  # every word reaches the root without a circle
            node, steps = start, 0
            while heads[node]:
                node, steps = heads[node] - 1, steps + 1
                assert steps <= len(rows)


def test_words_are_in_the_script_of_their_language(corpus: SyntheticCorpus) -> None:
    names = {"Latn": "LATIN", "Cyrl": "CYRILLIC", "Grek": "GREEK", "Hebr": "HEBREW"}
    for sentence in corpus.sentences["test"]:
        wanted = names[LANGUAGES[sentence.language].script]
        letters = [letter for letter in sentence.text if letter.isalpha()]
        assert all(unicodedata.name(letter).startswith(wanted) for letter in letters), sentence.text
        assert unicodedata.is_normalized("NFC", sentence.text)


def test_the_text_comment_is_what_the_words_spell(corpus: SyntheticCorpus) -> None:
    content = corpus.files["dev"].read_text(encoding="utf-8")
    for block in content.strip().split("\n\n"):
        lines = block.split("\n")
        text = next(line.removeprefix("# text = ") for line in lines if line.startswith("# text = "))
        spelled = ""
        for row in (line.split("\t") for line in lines if not line.startswith("#")):
            spelled += row[1] + ("" if row[9] == "SpaceAfter=No" else " ")
        assert spelled.strip() == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_list_of_words_does_not_solve_it(corpus: SyntheticCorpus, language: str) -> None:
    def pairs(split: str) -> list[tuple[list[str], list[str]]]:
        chosen = [sentence for sentence in corpus.sentences[split] if sentence.language == language]
        return [([word.form for word in s.words], [word.upos for word in s.words]) for s in chosen]

    baseline = MostFrequentTag(pairs("train"))
    test = [
        (word, tag, guess)
        for words, tags in pairs("test")
        for word, tag, guess in zip(words, tags, baseline(words), strict=True)
    ]
    new = [entry for entry in test if entry[0] not in baseline.tags]
    assert len(new) > 0.12 * len(test)
    assert 0.6 < sum(tag == guess for _, tag, guess in test) / len(test) < 0.88
    assert sum(tag == guess for _, tag, guess in new) / len(new) < 0.6


def test_endings_tell_the_tag_of_new_words(corpus: SyntheticCorpus) -> None:
    """A tagger that sees only the last three letters beats the word list on new words: form matters below the word."""
    endings: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    seen = set()
    for sentence in corpus.sentences["train"]:
        for word in sentence.words:
            endings[word.form[-3:]][word.upos] += 1
            seen.add(word.form)
    new = [word for sentence in corpus.sentences["test"] for word in sentence.words if word.form not in seen]
    by_ending = [max(tags, key=tags.__getitem__) == w.upos for w in new if (tags := endings.get(w.form[-3:]))]
    nouns = [word.upos == "NOUN" for word in new]
    assert sum(by_ending) / len(new) > sum(nouns) / len(new) + 0.15


def test_held_out_stems_stay_out_of_training(tmp_path: Path) -> None:
    def new_share(held_out: float) -> float:
        made = generate_corpus(
            tmp_path / str(held_out), languages=["en"], train=1500, dev=0, test=300, seed=1, held_out=held_out
        )
        forms = {word.form for sentence in made.sentences["train"] for word in sentence.words}
        test = [word.form for sentence in made.sentences["test"] for word in sentence.words]
        return sum(form not in forms for form in test) / len(test)

    assert new_share(0.3) > new_share(0.0) + 0.05


def test_ambiguous_forms_occur(corpus: SyntheticCorpus) -> None:
    tags: defaultdict[str, set[str]] = defaultdict(set)
    for split in corpus.sentences.values():
        for sentence in split:
            for word in sentence.words:
                tags[word.form].add(word.upos)
    assert {"NOUN", "VERB"} <= tags["plants"] | tags["plant"]
    assert {"DET", "PRON"} <= tags["τους"] and {"DET", "SCONJ"} <= tags["that"]
    assert sum(len(found) > 1 for found in tags.values()) > 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"language": "xx", "count": 1}, "no grammar for language 'xx'"),
        ({"language": "en", "count": -1}, "must not be negative"),
        ({"language": "en", "count": 1, "held_out": 1.0}, "held_out must lie"),
    ],
)
def test_impossible_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        generate_sentences(**arguments)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the synthetic corpus"):
        generate_corpus(tmp_path / "file" / "corpus", train=1, dev=1, test=1)
