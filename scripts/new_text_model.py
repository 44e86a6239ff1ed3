"""Make a BERT with random weights and a vocabulary of its own, to compare a pixel model with a text model of like size.

    python scripts/new_text_model.py FILE… --output-dir FOLDER [--hidden-size 128 --num-hidden-layers 4 …]
    pixel-lm finetune pos --model FOLDER --from-scratch --data TREEBANK --output-dir RUN

The WordPiece vocabulary is learned from the running text of the files: .txt, .jsonl, Parquet, compressed or not, or the words of .conllu.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import BertConfig, BertModel, BertTokenizerFast, set_seed

from pixel_lm.data.conllu import read_conllu
from pixel_lm.data.corpora import Corpus

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def texts_of(paths: Sequence[str]) -> Iterator[str]:
    """Paragraphs, or sentences of treebanks."""
    for path in paths:
        if ".conllu" in Path(path).name:
            yield from (" ".join(sentence.forms) for sentence in read_conllu(path))
        else:
            yield from (paragraph.text for paragraph in Corpus([path]).paragraphs())


def train_tokenizer(texts: Iterator[str], vocabulary: int) -> BertTokenizerFast:
    """A cased WordPiece tokenizer."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return BertTokenizerFast(tokenizer_object=tokenizer, do_lower_case=False, strip_accents=False)


def main() -> None:
    """Learn the vocabulary and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="FILE")
    parser.add_argument("--output-dir", required=True, metavar="FOLDER")
    parser.add_argument(
        "--vocabulary", type=int, default=8000, metavar="N", help="at most this many tokens (default: 8000)"
    )
    parser.add_argument("--hidden-size", type=int, default=128, metavar="N")
    parser.add_argument("--num-hidden-layers", type=int, default=4, metavar="N")
    parser.add_argument("--num-attention-heads", type=int, default=4, metavar="N")
    parser.add_argument("--intermediate-size", type=int, default=512, metavar="N")
    parser.add_argument("--max-positions", type=int, default=512, metavar="N")
    parser.add_argument("--seed", type=int, default=42, metavar="N")
    args = parser.parse_args()
    set_seed(args.seed)
    tokenizer = train_tokenizer(texts_of(args.texts), args.vocabulary)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=args.hidden_size,
        num_hidden_layers=args.num_hidden_layers,
        num_attention_heads=args.num_attention_heads,
        intermediate_size=args.intermediate_size,
        max_position_embeddings=args.max_positions,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = BertModel(config)
    tokenizer.save_pretrained(args.output_dir)
    model.save_pretrained(args.output_dir)
    print(f"{args.output_dir}: {model.num_parameters():,} parameters, {len(tokenizer)} tokens")


if __name__ == "__main__":
    main()
