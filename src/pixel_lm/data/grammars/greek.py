"""A small grammar of Modern Greek: three genders, two numbers, nominative, accusative and genitive, and derivation
that makes new words.

Conventions of this grammar: στο, στην … are one ADP, possessive and object clitics are PRON (they look like articles,
which are DET), participles in -μένος are ADJ, and adverbs in -α look like neuter plurals. Derived words are possible
words, not always attested ones.
"""

from __future__ import annotations

import unicodedata

from pixel_lm.data.grammars.tree import NUMBERS, Draw, Node, comma, words

# Nouns by declension, without their ending; a stem without an accent has it on the ending (ουραν → ουρανός).
NOUNS = {
    "m": words("""δρόμ τοίχ κήπ φίλ γιατρ ουραν ποταμ λύκ κύκλ πύργ μύθ αδελφ λα γάμ ύπν ρόλ νόμ βράχ κόσμ οδηγ ταύρ
    σκοπ"""),
    "f": words("""πόρτ θάλασσ γλώσσ χώρ τσάντ γάτ μπάλ πέτρ σκάλ φωτι καρδι ελι κουζίν λάμπ εφημερίδ σελίδ πλατεί
    ιστορί κουρτίν εικόν φωλι γωνι συννεφι μηλι"""),
    "fh": words("νίκ κόρ τέχν βρύσ ζών λίμν ψυχ φων βροχ γραμμ ζω στέγ πληγ σιωπ αυλ βιβλιοθήκ ανάγκ κλωστ"),
    "n": words("δέντρ βιβλί πλοί σχολεί φύλλ ξύλ βουν νερ μήλ φτερ ταμεί μουσεί ζώ κάστρ αυγ"),
    "ni": words("σπίτ παιδ τραπέζ λουλούδ ψάρ μολύβ ποτάμ παιχνίδ καράβ αρν κουτ ψωμ κλειδ ποτήρ καλάθ μαντίλ"),
    "nm": words("γράμμ χρώμ βήμ κύμ σώμ στόμ σχήμ νήμ δέρμ"),
}
# Verbs: present stem, aorist stem, stem after θα and να.
VERBS_S = words("""διαβάζ/διάβασ/διαβάσ καθαρίζ/καθάρισ/καθαρίσ ποτίζ/πότισ/ποτίσ σκεπάζ/σκέπασ/σκεπάσ
ζωγραφίζ/ζωγράφισ/ζωγραφίσ στολίζ/στόλισ/στολίσ μοιράζ/μοίρασ/μοιράσ γεμίζ/γέμισ/γεμίσ δοκιμάζ/δοκίμασ/δοκιμάσ
σκουπίζ/σκούπισ/σκουπίσ θαυμάζ/θαύμασ/θαυμάσ κερδίζ/κέρδισ/κερδίσ χαρίζ/χάρισ/χαρίσ γυρίζ/γύρισ/γυρίσ
σφραγίζ/σφράγισ/σφραγίσ τεμαχίζ/τεμάχισ/τεμαχίσ φροντίζ/φρόντισ/φροντίσ βουρτσίζ/βούρτσισ/βουρτσίσ
συγυρίζ/συγύρισ/συγυρίσ μεταφράζ/μετάφρασ/μεταφράσ θερίζ/θέρισ/θερίσ""")
VERBS_PS = words("""μαζεύ/μάζεψ/μαζέψ μαγειρεύ/μαγείρεψ/μαγειρέψ φυτεύ/φύτεψ/φυτέψ κλαδεύ/κλάδεψ/κλαδέψ
γυρεύ/γύρεψ/γυρέψ ψαρεύ/ψάρεψ/ψαρέψ μαγεύ/μάγεψ/μαγέψ λατρεύ/λάτρεψ/λατρέψ φυγαδεύ/φυγάδεψ/φυγαδέψ
παγιδεύ/παγίδεψ/παγιδέψ""")
VERBS_O = words("""διορθών/διόρθωσ/διορθώσ σηκών/σήκωσ/σηκώσ κλειδών/κλείδωσ/κλειδώσ λερών/λέρωσ/λερώσ
καρφών/κάρφωσ/καρφώσ διπλών/δίπλωσ/διπλώσ φορτών/φόρτωσ/φορτώσ σκαλών/σκάλωσ/σκαλώσ ζυμών/ζύμωσ/ζυμώσ
δηλών/δήλωσ/δηλώσ""")
INTRANSITIVE = words("""ταξιδεύ/ταξίδεψ/ταξιδέψ χορεύ/χόρεψ/χορέψ δουλεύ/δούλεψ/δουλέψ παλεύ/πάλεψ/παλέψ
φωνάζ/φώναξ/φωνάξ τρέχ/έτρεξ/τρέξ ξαπλών/ξάπλωσ/ξαπλώσ μαλών/μάλωσ/μαλώσ παγών/πάγωσ/παγώσ κουράζ/κούρασ/κουράσ
κοιτάζ/κοίταξ/κοιτάξ λάμπ/έλαμψ/λάμψ ησυχάζ/ησύχασ/ησυχάσ αρμενίζ/αρμένισ/αρμενίσ""")
CLAIMING = words("νομίζ/νόμισ/νομίσ δηλών/δήλωσ/δηλώσ φωνάζ/φώναξ/φωνάξ πιστεύ/πίστεψ/πιστέψ θυμίζ/θύμισ/θυμίσ")
ADJECTIVES = words("""μικρ καλ γρήγορ όμορφ κόκκιν ζεστ ήσυχ σκοτειν άσπρ δύσκολ δυνατ εύκολ φωτειν μαύρ έξυπν ακριβ
χρήσιμ λεπτ πράσιν ψηλ παράξεν σοφ χαμηλ γεμάτ απλ νόστιμ σωστ κίτριν ζωνταν στεν τρελ ήρεμ χλωμ δροσερ πικρ σκληρ
καθαρ αργ τρυφερ λαμπρ υγρ πολύτιμ απότομ""")
ADVERBS = words("πάντα ποτέ πάλι εδώ εκεί χθες αύριο μαζί σχεδόν έξω μέσα κάτω πάνω μετά σήμερα τώρα νωρίς αργά")
NAMES = {
    "m": words("Γιώργ Νίκ Πέτρ Παύλ Μάρκ Στέφαν Σπύρ Αλέξανδρ Φίλιππ Μάρι"),
    "f": words("Μαρί Άνν Σοφί Κατερίν Ιωάνν Χριστίν Δήμητρ Αθην Λουκί Ζαμπέτ"),
}
ENDINGS = {  # nominative, accusative, genitive of the singular, then of the plural (the genitive plural is not used)
    "m": (("ος", "ο", "ου"), ("οι", "ους", "")),
    "f": (("α", "α", "ας"), ("ες", "ες", "")),
    "fh": (("η", "η", "ης"), ("ες", "ες", "")),
    "n": (("ο", "ο", "ου"), ("α", "α", "")),
    "ni": (("ι", "ι", ""), ("ια", "ια", "")),
    "nm": (("α", "α", "ατος"), ("ατα", "ατα", "")),
    "τής": (("ής", "ή", "ή"), ("ές", "ές", "")),
}
CASES = {"nom": 0, "acc": 1, "gen": 2}
ARTICLES = {
    ("m", "sg"): ("ο", "τον", "του"),
    ("f", "sg"): ("η", "την", "της"),
    ("n", "sg"): ("το", "το", "του"),
    ("m", "pl"): ("οι", "τους", ""),
    ("f", "pl"): ("οι", "τις", ""),
    ("n", "pl"): ("τα", "τα", ""),
}
ONE = {"m": ("ένας", "έναν"), "f": ("μια", "μια"), "n": ("ένα", "ένα")}
CLITICS = ("τον", "την", "το", "τους", "τις", "τα", "μας", "σας", "με", "σε")
POSSESSIVES = ("μου", "του", "της", "μας", "σας", "τους")
ACCENTED = str.maketrans("αεηιουω", "άέήίόύώ")


def plain(text: str) -> str:
    """`text` without its accents (a diaeresis stays)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).replace("\u0301", ""))


def joined(stem: str, ending: str) -> str:
    """`stem` + `ending`; a stem without an accent gives it to the ending, to the second vowel of ου, οι, ει, ια."""
    if plain(stem) != stem or not ending or plain(ending) != ending:
        return stem + ending
    at = 1 if ending[:2] in ("ου", "οι", "ει", "ια") else 0
    return stem + ending[:at] + ending[at].translate(ACCENTED) + ending[at + 1 :]


def nominal(stem: str) -> str:
    """The stem of nouns in -μα and participles: μάζεψ → μάζε(μα), κλείδωσ → κλείδω(μα), but διάβασ → διάβασ(μα)."""
    return stem[:-1] if stem.endswith(("ψ", "ωσ", "ώσ")) else stem


def gender(group: str) -> str:
    return "m" if group == "τής" else group[0]


def declined(stem: str, group: str, number: str, case: str) -> str:
    return joined(stem, ENDINGS[group][NUMBERS.index(number)][CASES[case]])


def adjective(stem: str, group: str, number: str, case: str) -> str:
    kind = gender(group)
    if kind == "f":
        kind = "f" if plain(stem)[-1] in "αεηιουω" else "fh"
    return joined(stem, ENDINGS[kind][NUMBERS.index(number)][CASES[case]])


def article(group: str, number: str, case: str, following: str) -> str:
    form = ARTICLES[gender(group), number][CASES[case]]
    if form == "την" and not keeps_n(following):
        return "τη"
    return form


def keeps_n(following: str) -> bool:
    """Whether the article την keeps its -ν before this word: before vowels, stops and their clusters."""
    first = plain(following.lower())
    return first[0] in "αεηιουωκπτξψ" or first[:2] in ("μπ", "ντ", "γκ", "τσ", "τζ")


def noun(d: Draw, case: str) -> tuple[str, str, str]:
    """A noun form, its declension and its number."""
    number = d.one(NUMBERS) if case != "gen" else "sg"
    kind = d.pattern(
        [
            (20, "m"),
            (17, "f"),
            (13, "fh"),
            (13, "n"),
            (12, "ni"),
            (6, "nm"),
            (8, "μα"),
            (8, "τής"),
            (8, "ότητα"),
            (7, "άκι"),
            (5, "ούλα"),
        ]
    )
    if case == "gen" and kind in ("ni", "άκι"):
        kind = "f"
    if kind == "μα":
        _, aorist, perfective = verb_stems(d, None)
        stem = nominal(aorist if number == "sg" and case != "gen" else perfective)
        return declined(stem + "μ", "nm", number, case), "nm", number
    if kind == "τής":
        _, _, perfective = verb_stems(d, VERBS_S)
        return declined(plain(perfective) + "τ", "τής", number, case), "τής", number
    if kind == "ότητα":
        return declined(plain(d.stem(ADJECTIVES)) + "ότητ", "f", number, case), "f", number
    if kind in ("άκι", "ούλα"):
        little, group, stems = ("άκ", "ni", NOUNS["n"] + NOUNS["ni"]) if kind == "άκι" else ("ούλ", "f", NOUNS["f"])
        return declined(plain(d.stem(stems)).removesuffix("ι") + little, group, number, case), group, number
    return declined(d.stem(NOUNS[kind]), kind, number, case), kind, number


def verb_stems(d: Draw, verbs: list[str] | None) -> tuple[str, str, str]:
    """Present, aorist and perfective stem of a verb, sometimes with ξανα- (again) or another prefix."""
    entry = d.stem(VERBS_S + VERBS_PS + VERBS_O if verbs is None else verbs)
    present, aorist, perfective = entry.split("/")
    if d.chance(0.18) and plain(aorist)[0] not in "αεηιουω":
        prefix = d.one(("ξανα", "καλο", "κρυφο", "σιγο", "μισο"))
        return prefix + present, prefix + aorist, prefix + perfective
    return present, aorist, perfective


def adjective_stem(d: Draw) -> str:
    kind = d.pattern([(60, "plain"), (20, "participle"), (12, "more"), (8, "very")])
    if kind == "participle":
        _, _, perfective = verb_stems(d, None)
        return plain(nominal(perfective)) + "μέν"
    stem = d.stem(ADJECTIVES)
    if kind == "more":
        return plain(stem) + "ότερ"
    return "πολυ" + stem if kind == "very" and plain(stem)[0] not in "αεηιουω" else stem


def adverb_form(d: Draw) -> str:
    return joined(d.stem(ADJECTIVES), "α") if d.chance(0.6) else d.stem(ADVERBS)


def noun_phrase(d: Draw, deprel: str, case: str, depth: int = 0) -> tuple[Node, str]:
    """A noun phrase and its number."""
    if d.chance(0.14):
        kind = d.one(("m", "f"))
        head = Node(declined(d.stem(NAMES[kind]), kind, "sg", case), "PROPN", deprel)
        return head.put_first(Node(article(kind, "sg", case, head.form), "DET", "det")), "sg"
    form, group, number = noun(d, case)
    head = Node(form, "NOUN", deprel)
    if d.chance(0.42):
        modifier = Node(adjective(adjective_stem(d), group, number, case), "ADJ", "amod")
        if d.chance(0.12):
            modifier.put_before(Node(d.one(("πολύ", "τόσο", "λίγο")), "ADV", "advmod"))
        head.put_first(modifier)
    following = next(iter(head.in_order())).form
    if number == "sg" and case != "gen" and d.chance(0.25):
        head.put_first(Node(ONE[gender(group)][CASES[case]], "DET", "det"))
    elif case == "gen" or deprel == "obl" or d.chance(0.85):
        head.put_first(Node(article(group, number, case, following), "DET", "det"))
    else:
        head.put_first(Node(d.one(("δύο", "πέντε", "δέκα", "εφτά")), "NUM", "nummod") if number == "pl" else None)
    if d.chance(0.16):
        head.put_after(Node(d.one(POSSESSIVES), "PRON", "nmod:poss"))
    elif depth < 1 and d.chance(0.16):
        head.put_after(noun_phrase(d, "nmod", "gen", depth + 1)[0])
    elif depth < 1 and d.chance(0.08):
        relative = predicate(d, number, 1).as_("acl:relcl")
        head.put_after(relative.put_first(Node("που", "SCONJ", "mark")))
    return head, number


def prepositional(d: Draw, deprel: str, depth: int = 0) -> Node:
    """A prepositional phrase; σε melts with the article."""
    phrase, _ = noun_phrase(d, deprel, "acc", depth)
    first = phrase.before[0] if phrase.before else None
    if first is not None and first.upos == "DET" and first.form.startswith("τ") and d.chance(0.5):
        first.form, first.upos, first.deprel = "σ" + first.form, "ADP", "case"
        if d.chance(0.3):
            phrase.put_first(Node(d.one(("πάνω", "μέσα", "κάτω", "δίπλα")), "ADV", "advmod"))
        return phrase
    return phrase.put_first(Node(d.one(("με", "από", "για", "χωρίς", "προς")), "ADP", "case"))


def verb_node(d: Draw, number: str, verbs: list[str] | None) -> Node:
    """A verb in the third person, with particles and clitics in front."""
    present, aorist, perfective = verb_stems(d, verbs)
    kind = d.pattern([(40, "present"), (40, "aorist"), (12, "future"), (8, "want")])
    if kind == "aorist":
        node = Node(aorist + ("ε" if number == "sg" else "αν"), "VERB")
    elif kind == "present":
        node = Node(present + ("ει" if number == "sg" else "ουν"), "VERB")
    else:
        node = Node(perfective + ("ει" if number == "sg" else "ουν"), "VERB")
        node.put_before(Node("θα", "AUX", "aux") if kind == "future" else Node("να", "PART", "mark"))
    if verbs is None and d.chance(0.2):
        node.put_before(Node(d.one(CLITICS), "PRON", "obj"))
    if kind != "want" and d.chance(0.12):
        node.put_first(Node("δεν", "PART", "advmod"))
    if kind == "want":
        node = Node("θέλει" if number == "sg" else "θέλουν", "VERB").put_after(node.as_("ccomp"))
    return node


def predicate(d: Draw, number: str, depth: int = 0) -> Node:
    kind = d.pattern([(52, "transitive"), (24, "intransitive"), (14, "copula"), (8, "that")])
    if kind == "copula":
        node = noun_phrase(d, "dep", "nom", 1)[0]
        return node.put_first(Node("ήταν" if d.chance(0.5) else "είναι", "AUX", "cop"))
    if kind == "that" and depth == 0:
        node = verb_node(d, number, CLAIMING)
        return node.put_after(clause(d, 1).as_("ccomp").put_first(Node(d.one(("ότι", "πως")), "SCONJ", "mark")))
    if kind == "transitive":
        node = verb_node(d, number, None)
        if not any(child.deprel == "obj" for child in node.before):
            node.put_after(noun_phrase(d, "obj", "acc", depth)[0])
    else:
        node = verb_node(d, number, INTRANSITIVE)
    if d.chance(0.3):
        node.put_after(Node(adverb_form(d), "ADV", "advmod"))
    if d.chance(0.35 if depth == 0 else 0.1):
        node.put_after(prepositional(d, "obl", 1))
    return node


def clause(d: Draw, depth: int = 0) -> Node:
    subject, number = noun_phrase(d, "nsubj", "nom", depth)
    return predicate(d, number, depth).put_first(subject)


def sentence(d: Draw) -> Node:
    """One sentence as a tree, with its final stop."""
    kind = d.pattern([(48, "plain"), (12, "when"), (12, "and"), (10, "adverb"), (9, "verb first"), (9, "question")])
    if kind == "verb first":
        subject, number = noun_phrase(d, "nsubj", "nom", 1)
        return verb_node(d, number, INTRANSITIVE).put_after(subject, Node(".", "PUNCT", "punct"))
    root = clause(d)
    if kind == "when":
        mark = Node(d.one(("όταν", "αν", "επειδή", "πριν", "ενώ", "αφού")), "SCONJ", "mark")
        root.put_first(clause(d, 1).as_("advcl").put_first(mark).put_after(comma()))
    elif kind == "and":
        link = Node(d.one(("και", "αλλά", "ή", "και")), "CCONJ", "cc")
        root.put_after(clause(d, 1).as_("conj").put_first(comma() if d.chance(0.4) else None, link))
    elif kind == "adverb":
        root.put_first(Node(adverb_form(d), "ADV", "advmod"), comma() if d.chance(0.4) else None)
    elif kind == "question":
        root.put_first(Node(d.one(("μήπως", "άραγε")), "PART", "advmod"))
        return root.put_after(Node(";", "PUNCT", "punct"))
    return root.put_after(Node(".", "PUNCT", "punct"))
