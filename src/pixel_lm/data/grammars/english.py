"""A small grammar of English: five kinds of noun phrase, regular inflection, and derivation that makes new words.

Conventions of this grammar: attributive participles are ADJ ("the painted door"), nouns in -ing are NOUN, possessives
are PRON. Derived words are possible words, not always attested ones ("gardenless", "misinspect").
"""

from __future__ import annotations

from pixel_lm.data.grammars.tree import NUMBERS, Draw, Node, comma, words

# Words that stand in two lists are the ambiguous ones: plant, paint, answer, light, clean, Mark …
NOUNS = words("""garden river window plant letter paint basket bottle answer bridge castle walk candle carpet plan
corner cottage mark desert doctor light dragon engine hammer feather farmer ship finger flower record forest copy
fountain name harbour farm helmet cook island guide jacket guard kettle dance kitten watch ladder stamp lantern brush
lawyer comb lemon iron market nail meadow shelter mirror monkey mountain neighbour needle orchard parcel pencil pepper
picture pillow planet pocket potato puppet rabbit ribbon rocket saddle sailor school shadow shoulder soldier spider
spoon station stone student tailor teacher temple ticket tiger tower tunnel turtle uncle valley village violin waiter
wagon wallet wheel whistle wizard table cable vegetable ceiling evening family lily bully harness witness echo hunter
baker hero""")
TRANSITIVE = words("""paint clean plant carry follow open answer close mend mark measure polish guard admire gather
guide borrow hammer push watch pull fold light wash record collect name count copy deliver cook describe brush explore
stamp help comb heat iron invite nail join shelter kick load lock mention warm move notice dry offer order pack pour
prepare print protect remove repair rescue roll sketch sort stitch taste touch trade visit water weigh decorate
discover inspect scatter soften""")
INTRANSITIVE = words("""laugh walk wait dance whisper wander arrive jump smile sail cough shiver hurry climb snore
listen rest work shout vanish return tremble giggle yawn march glow rattle echo blink crawl hesitate whistle float
drift shine""")
CLAIMING = words("""claim believe notice whisper doubt hope report insist imagine remember suspect answer mention
explain""")
ADJECTIVES = words("""cold warm bright dark quiet loud clever brave calm clean kind light dry proud rude sharp slow
smooth strange strong sweet tall weak wild young plain polite neat dull deep dense faint fair firm fresh grand great
harsh keen mild narrow odd pale quick rich rough severe short steep stern stiff strict sturdy happy heavy lazy noisy
angry busy hungry lucky merry dusty greedy pretty""")
ADJECTIVES_IN_LY = words("friendly lonely lovely lively elderly costly ghostly")
ADVERBS = words("""fast hard early late straight often never always soon again here there upstairs yesterday together
almost""")
NAMES = words("""Mark Rose Anna Will Grace Peter Daisy Frank Martha Hunter Clara Baker Simon Hope Nora Victor Ivy
Conrad Lily Edgar Robin Selma Basil Ursula Chester Miranda Wendell Harriet Ambrose Cordelia Barnaby Estelle""")
PRONOUNS = {"sg": ("she", "he", "it"), "pl": ("they", "we", "you")}
OBJECTS = ("her", "him", "it", "them", "us", "you")
POSSESSIVES = ("her", "his", "my", "their", "our", "your", "its")
PREPOSITIONS = (
    "in",
    "near",
    "under",
    "with",
    "behind",
    "over",
    "before",
    "after",
    "without",
    "to",
    "for",
    "like",
    "past",
    "down",
)
MODALS = ("will", "can", "must", "may", "should")


def plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh", "to", "ho", "ro")) else "s")


def past(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + ("d" if verb.endswith("e") else "ed")


def gerund(verb: str) -> str:
    return (verb[:-1] if verb.endswith("e") else verb) + "ing"


def suffixed(stem: str, suffix: str) -> str:
    """`stem` + -ly, -ness, -er, -est with the usual spelling: happy → happily, brave → braver."""
    if stem.endswith("y") and stem[-2] not in "aeiou":
        stem = stem[:-1] + "i"
    if stem.endswith("e") and suffix[0] == "e":
        stem = stem[:-1]
    if stem.endswith("ll") and suffix == "ly":
        suffix = "y"
    return stem + suffix


def noun_form(d: Draw, number: str) -> str:
    """A noun, sometimes derived: painter, painting, kindness, planlet."""
    kind = d.pattern([(70, "plain"), (11, "agent"), (7, "ing"), (12, "ness")])
    if kind == "agent":
        verb = d.stem(TRANSITIVE)
        noun = (d.one(("over", "re")) if d.chance(0.1) and not verb.startswith("re") else "") + suffixed(verb, "er")
    elif kind == "ing":
        noun = gerund(d.stem(TRANSITIVE))
    elif kind == "ness":
        noun = ("un" if d.chance(0.2) else "") + suffixed(d.stem(ADJECTIVES), "ness")
    else:
        noun = d.stem(NOUNS)
    return plural(noun) if number == "pl" else noun


def adjective_form(d: Draw) -> str:
    kind = d.pattern(
        [(50, "plain"), (8, "ly"), (9, "more"), (8, "un"), (8, "able"), (6, "less"), (6, "ing"), (8, "ed"), (5, "like")]
    )
    if kind == "plain":
        return d.stem(ADJECTIVES)
    if kind == "ly":
        return d.stem(ADJECTIVES_IN_LY)
    if kind == "more":
        return suffixed(d.stem(ADJECTIVES), d.one(("er", "est")))
    if kind == "un":
        return "un" + d.stem(ADJECTIVES)
    if kind == "able":
        verb = d.stem(TRANSITIVE)
        stem = verb[:-1] + "i" if verb.endswith("y") else verb.removesuffix("e")
        return ("un" if d.chance(0.3) else "") + stem + "able"
    if kind == "ing":
        return gerund(d.stem(INTRANSITIVE))
    if kind == "ed":
        return ("un" if d.chance(0.3) else "") + past(d.stem(TRANSITIVE))
    return d.stem(NOUNS) + kind


def adverb_form(d: Draw) -> str:
    if d.chance(0.65):
        return ("un" if d.chance(0.1) else "") + suffixed(d.stem(ADJECTIVES), "ly")
    return d.stem(ADVERBS)


def noun_phrase(d: Draw, deprel: str, depth: int = 0) -> tuple[Node, str]:
    """A noun phrase and its number."""
    number = d.one(NUMBERS)
    kind = d.pattern([(50, "determined"), (12, "pronoun"), (13, "name"), (8, "number"), (9, "bare"), (8, "possessive")])
    if kind == "pronoun":
        return Node(d.one(OBJECTS if deprel in ("obj", "obl", "nmod") else PRONOUNS[number]), "PRON", deprel), number
    if kind == "name":
        return Node(d.stem(NAMES), "PROPN", deprel), "sg"
    number = "pl" if kind in ("number", "bare") else number
    head = Node(noun_form(d, number), "NOUN", deprel)
    if d.chance(0.1):
        head.put_before(Node(d.stem(NOUNS), "NOUN", "compound"))
    if d.chance(0.45):
        adjective = Node(adjective_form(d), "ADJ", "amod")
        if d.chance(0.12):
            adjective.put_before(Node(d.one(("very", "so", "rather", adverb_form(d))), "ADV", "advmod"))
        head.put_first(adjective)
    if kind == "number":
        head.put_first(Node(d.one(("two", "three", "seven", "ten", "twelve", "forty")), "NUM", "nummod"))
    elif kind == "possessive":
        head.put_first(Node(d.one(POSSESSIVES), "PRON", "nmod:poss"))
    elif kind == "determined":
        first = next(iter(head.in_order())).form
        article = "an" if first[0] in "aeiou" and not first.startswith(("uni", "use")) else "a"
        choices = (
            ("the", "the", "this", "that", article, "every")
            if number == "sg"
            else ("the", "the", "these", "those", "some", "no")
        )
        head.put_first(Node(d.one(choices), "DET", "det"))
    if depth < 1 and d.chance(0.15):
        head.put_after(prepositional(d, "nmod", depth + 1, ("of", "near", "with", "from", "in")))
    elif depth < 1 and d.chance(0.08):
        head.put_after(relative(d, number))
    return head, number


def prepositional(d: Draw, deprel: str, depth: int = 0, prepositions: tuple[str, ...] = PREPOSITIONS) -> Node:
    phrase, _ = noun_phrase(d, deprel, depth)
    return phrase.put_first(Node(d.one(prepositions), "ADP", "case"))


def relative(d: Draw, number: str) -> Node:
    clause = predicate(d, number, depth=1).as_("acl:relcl")
    return clause.put_first(Node(d.one(("that", "who", "which")), "PRON", "nsubj"))


def verb_node(d: Draw, number: str, stems: list[str]) -> Node:
    """A verb with its auxiliaries, agreeing with a subject of `number`."""
    verb = d.stem(stems)
    if d.chance(0.1) and stems is TRANSITIVE and not verb.startswith(("re", "over")):
        verb = d.one(("re", "over", "mis")) + verb
    third = number == "sg"
    kind = d.pattern(
        [(32, "past"), (28, "present"), (12, "modal"), (14, "progressive"), (8, "perfect"), (8, "negated")]
    )
    if kind == "past":
        return Node(past(verb), "VERB")
    if kind == "present":
        return Node(plural(verb) if third else verb, "VERB")
    if kind == "modal":
        node = Node(verb, "VERB").put_before(Node(d.one(MODALS), "AUX", "aux"))
    elif kind == "progressive":
        node = Node(gerund(verb), "VERB").put_before(
            Node(d.one(("is", "was") if third else ("are", "were")), "AUX", "aux")
        )
    elif kind == "perfect":
        node = Node(past(verb), "VERB").put_before(Node(d.one(("has" if third else "have", "had")), "AUX", "aux"))
    else:
        node = Node(verb, "VERB").put_before(
            Node(d.one(("does" if third else "do", "did")), "AUX", "aux"), Node("not", "PART", "advmod")
        )
    if d.chance(0.1):
        node.put_before(Node(adverb_form(d), "ADV", "advmod"))
    return node


def predicate(d: Draw, number: str, depth: int = 0) -> Node:
    """A verb phrase or a copular predicate without its subject."""
    kind = d.pattern(
        [
            (45, "transitive"),
            (22, "intransitive"),
            (13, "adjective"),
            (6, "noun"),
            (6, "want"),
            (6, "have"),
            (5, "that"),
        ]
    )
    if kind in ("adjective", "noun"):
        if kind == "noun":
            node = noun_phrase(d, "dep", 1)[0]
        else:
            node = Node(adjective_form(d), "ADJ")
            if d.chance(0.25):
                node.put_before(Node(d.one(("very", "so", "too", "not")), "ADV", "advmod"))
                if node.before[-1].form == "not":
                    node.before[-1].upos = "PART"
        return node.put_first(Node(d.one(("is", "was") if number == "sg" else ("are", "were")), "AUX", "cop"))
    if kind == "want":
        node = Node(d.one(("wants", "wanted", "needs") if number == "sg" else ("want", "wanted", "need")), "VERB")
        inner = Node(d.stem(TRANSITIVE), "VERB", "xcomp").put_before(Node("to", "PART", "mark"))
        return node.put_after(inner.put_after(noun_phrase(d, "obj", 1)[0]))
    if kind == "have":
        node = Node(d.one(("has" if number == "sg" else "have", "had", "did")), "VERB")
        return node.put_after(noun_phrase(d, "obj", depth)[0])
    if kind == "that" and depth == 0:
        node = verb_node(d, number, CLAIMING)
        return node.put_after(clause(d, 1).as_("ccomp").put_first(Node("that", "SCONJ", "mark")))
    if kind == "transitive":
        node = verb_node(d, number, TRANSITIVE).put_after(noun_phrase(d, "obj", depth)[0])
    else:
        node = verb_node(d, number, INTRANSITIVE)
    if d.chance(0.3):
        node.put_after(Node(adverb_form(d), "ADV", "advmod"))
    if d.chance(0.35 if depth == 0 else 0.1):
        node.put_after(prepositional(d, "obl", 1))
    return node


def clause(d: Draw, depth: int = 0) -> Node:
    subject, number = noun_phrase(d, "nsubj", depth)
    return predicate(d, number, depth).put_first(subject)


def sentence(d: Draw) -> Node:
    """One sentence as a tree, with its final stop."""
    kind = d.pattern([(50, "plain"), (12, "adverb"), (11, "when"), (11, "and"), (8, "order"), (8, "question")])
    stop = "."
    if kind == "order":
        root = Node(d.stem(TRANSITIVE), "VERB").put_after(noun_phrase(d, "obj")[0])
        if d.chance(0.4):
            root.put_first(Node(d.one(("please", "oh", "no", "well")), "INTJ", "discourse"), comma())
        stop = d.one((".", "!"))
    elif kind == "question":
        subject, number = noun_phrase(d, "nsubj", 1)
        asking = Node(d.one(("does" if number == "sg" else "do", "did", *MODALS)), "AUX", "aux")
        root = Node(d.stem(TRANSITIVE), "VERB").put_before(asking, subject).put_after(noun_phrase(d, "obj", 1)[0])
        stop = "?"
    else:
        root = clause(d)
        if kind == "adverb":
            root.put_first(Node(adverb_form(d), "ADV", "advmod"), comma() if d.chance(0.6) else None)
        elif kind == "when":
            mark = Node(d.one(("when", "because", "if", "although", "before", "after", "while")), "SCONJ", "mark")
            root.put_first(clause(d, 1).as_("advcl").put_first(mark).put_after(comma()))
        elif kind == "and":
            link = Node(d.one(("and", "but", "or", "and")), "CCONJ", "cc")
            root.put_after(clause(d, 1).as_("conj").put_first(comma() if d.chance(0.5) else None, link))
    return root.put_after(Node(stop, "PUNCT", "punct"))
