"""The grammars of the synthetic corpus, one file per language. Each module has `sentence(draw)`, which makes one
dependency tree.
"""
