"""Files → examples → batches.

`corpora`: text files and `datasets` names → paragraphs. `strips`: paragraphs → full strips of text, rendered when
asked for. `conllu`: annotated sentences, `dependencies`: their trees, `ner`: entities. `classification`, `glue`, `nli`: texts
with labels, from `tables`. `questions`: questions about texts. `span_masks`: what pretraining hides. `collators`: examples →
batches. `files`: what they share.

Nothing is imported here, so that reading a treebank does not load torch.
"""
