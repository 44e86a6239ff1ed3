"""A small grammar of unpointed Hebrew, written from right to left: words grow from roots of three consonants that are
put into patterns.

Conventions of this grammar: the article ה and one-letter prepositions stay attached to their word, whose tag the
whole has; participles used as predicates are VERB, passive participles are ADJ. Many spellings are ambiguous, as they
are in Hebrew: ספר is a book or "he told", שומר a guard or "guards". Derived words are possible words, not always
attested ones.
"""

from __future__ import annotations

from pixel_lm.data.grammars.tree import NUMBERS, Draw, Node, comma, words

ROOTS = words("""שמר כתב למד סגר ספר רקד לבש שבר גנב מכר זכר בדק חשב קשר צבר דרך רכב לחץ תפר גזר קטף זרק תפס משך דחף
כבש סרק עבד עזב עזר רחץ שטף שפך חפר חרש קצר פתח שלח שמע בלע קרע צבע חתך פרש דקר נעל שקל שתל פסל חטף רדף שרף צרף קפץ
רקם חתם בלם הרס דרש תקן פרק סלק שלט גלש ברח חלם""")
# Nouns: singular and plural.
MASCULINE = words("""בית/בתים ילד/ילדים ספר/ספרים שיר/שירים עץ/עצים יום/ימים שולחן/שולחנות כיסא/כיסאות רחוב/רחובות
כלב/כלבים חתול/חתולים סוס/סוסים דג/דגים פרח/פרחים הר/הרים נהר/נהרות גן/גנים חדר/חדרים מלך/מלכים רופא/רופאים
עיתון/עיתונים חלון/חלונות גשר/גשרים כפר/כפרים שדה/שדות מורה/מורים סבא/סבים ענן/עננים גבר/גברים קיר/קירות תיק/תיקים
כובע/כובעים בוקר/בקרים חלום/חלומות מקום/מקומות כביש/כבישים מטוס/מטוסים תפוח/תפוחים""")
FEMININE = words("""דלת/דלתות ילדה/ילדות אישה/נשים עיר/ערים דרך/דרכים תמונה/תמונות מנורה/מנורות ספינה/ספינות
גינה/גינות חולצה/חולצות מלכה/מלכות מורה/מורות עוגה/עוגות שמש/שמשות רוח/רוחות אבן/אבנים חנות/חנויות מכונית/מכוניות
כוס/כוסות צלחת/צלחות שמלה/שמלות חברה/חברות תיבה/תיבות גבעה/גבעות שאלה/שאלות תשובה/תשובות ציפור/ציפורים משפחה/משפחות
רכבת/רכבות סבתא/סבתות מדינה/מדינות""")
ADJECTIVES = words("""גדול קטן חדש ישן טוב ארוך קצר נמוך חזק חלש לבן שחור ירוק אדום כחול צהוב חם קר רחב צר מתוק חמוץ
יקר עשיר חכם שמח עצוב עייף רעב צעיר נחמד מעניין מיוחד פשוט עמוק שקט ברור אמיץ""")
ADVERBS = words("לאט מהר היטב כאן שם תמיד אתמול היום מחר עכשיו כבר שוב פתאום יחד בחוץ בפנים הרבה לבד")
NAMES = words("דוד שרה יוסף רחל דן מרים אורי נעמי גיל תמר יונתן אסתר רון חנה עמית שמעון לאה אביב הדס אלון שקד ארז יערה")
PREPOSITIONS = words("על אל עם ליד תחת אצל בין לפני אחרי בלי מול למען בשביל")
FINALS = str.maketrans("כמנפצ", "ךםןףץ")
OPENED = str.maketrans("ךםןףץ", "כמנפצ")
SIBILANTS = {"ש": "ת", "ס": "ת", "צ": "ט", "ז": "ד"}  # התכתב but השתמר, הצטבר, הזדכר
AGREEMENTS = ("m", "f", "mp", "fp")


def closed(word: str) -> str:
    """`word` with the final form of its last letter, and only there."""
    word = word.translate(OPENED)
    return word[:-1] + word[-1].translate(FINALS)


def woven(root: str, pattern: str) -> str:
    """`root` put into `pattern`, where 1, 2, 3 stand for its consonants: כתב in 1ו23ים gives כותבים."""
    return closed("".join(root[int(sign) - 1] if sign in "123" else sign for sign in pattern))


def reflexive(root: str, start: str, rest: str = "") -> str:
    """The hitpael: `start` + ת + root, with the ת behind a sibilant."""
    if root[0] in SIBILANTS:
        return closed(start + root[0] + SIBILANTS[root[0]] + root[1:] + rest)
    return closed(start + "ת" + root + rest)


def inflected(form: str, agreement: str, feminine: str = "ה") -> str:
    """`form` of an adjective, a participle or a noun made of a root, in the given gender and number."""
    return closed(form + {"m": "", "f": feminine, "mp": "ים", "fp": "ות"}[agreement])


def root(d: Draw) -> str:
    return d.stem(ROOTS).translate(OPENED)


def noun(d: Draw) -> tuple[str, str]:
    """A noun form and what agrees with it."""
    number = d.one(NUMBERS)
    kind = d.pattern(
        [
            (26, "m"),
            (24, "f"),
            (9, "action"),
            (8, "piel"),
            (8, "agent"),
            (7, "tool"),
            (6, "doer"),
            (5, "hifil"),
            (4, "place"),
            (3, "self"),
        ]
    )
    plural = number == "pl"
    if kind in ("m", "f"):
        singular, many = d.stem(MASCULINE if kind == "m" else FEMININE).split("/")
        return (many, kind + "p") if plural else (singular, kind)
    agreement = d.one(("m", "f")) + ("p" if plural else "")
    if kind == "agent":  # רקדן, רקדנית
        form = woven(root(d), "123נ")
        return inflected(form, agreement, "ית") if agreement != "fp" else closed(form + "יות"), agreement
    if kind == "doer":  # שומר, שומרת
        return inflected(woven(root(d), "1ו23"), agreement, "ת"), agreement
    if kind == "action":  # שמירה
        return woven(root(d), "12י3" + ("ות" if plural else "ה")), "fp" if plural else "f"
    if kind == "piel":  # סיפור
        return woven(root(d), "1י2ו3" + ("ים" if plural else "")), "mp" if plural else "m"
    if kind == "tool":  # מספר
        return woven(root(d), "מ123" + ("ים" if plural else "")), "mp" if plural else "m"
    if kind == "hifil":  # הלבשה
        return woven(root(d), "ה123" + ("ות" if plural else "ה")), "fp" if plural else "f"
    if kind == "place":  # מספרה
        return woven(root(d), "מ123" + ("ות" if plural else "ה")), "fp" if plural else "f"
    return reflexive(root(d), "ה", "ויות" if plural else "ות"), "fp" if plural else "f"


def adjective(d: Draw, agreement: str) -> str:
    kind = d.pattern([(46, "plain"), (22, "passive"), (14, "able"), (18, "pual")])
    if kind == "plain":
        return inflected(d.stem(ADJECTIVES), agreement)
    if kind == "passive":  # שבור
        return inflected(woven(root(d), "12ו3"), agreement)
    if kind == "able":  # שביר
        return inflected(woven(root(d), "12י3"), agreement)
    return inflected(woven(root(d), "מ1ו23"), agreement, "ת")  # מסופר


def adverb_form(d: Draw) -> str:
    kind = d.pattern([(40, "plain"), (34, "with"), (26, "way")])
    if kind == "plain":
        return d.stem(ADVERBS)
    return woven(
        root(d), "ב12י3ות" if kind == "with" else "123נית"
    )  # בזהירות; the second looks like a woman's profession


def verb_form(d: Draw, agreement: str) -> str:
    """A verb in the past, the present or the future of one of five stems, third person."""
    letters = root(d)
    stem = d.pattern([(40, "qal"), (22, "piel"), (16, "hifil"), (12, "hitpael"), (10, "nifal")])
    past = {"m": "", "f": "ה", "mp": "ו", "fp": "ו"}[agreement]
    if stem == "qal":
        tense = d.one(("past", "past", "present", "future"))
        if tense == "past":
            return woven(letters, "123" + past)
        if tense == "present":
            return inflected(woven(letters, "1ו23"), agreement, "ת")
        return woven(letters, {"m": "י12ו3", "f": "ת12ו3", "mp": "י123ו", "fp": "י123ו"}[agreement])
    if d.chance(0.6):
        if stem == "hitpael":
            return reflexive(letters, "ה", past)
        return woven(letters, {"piel": "1י23", "hifil": "ה12י3", "nifal": "נ123"}[stem] + past)
    if stem == "hitpael":
        return inflected(reflexive(letters, "מ"), agreement, "ת")
    return inflected(
        woven(letters, {"piel": "מ123", "hifil": "מ12י3", "nifal": "נ123"}[stem]),
        agreement,
        "ה" if stem == "hifil" else "ת",
    )


def noun_phrase(d: Draw, deprel: str, depth: int = 0, prefix: str = "") -> tuple[Node, str]:
    """A noun phrase and what agrees with it: m, f, mp or fp. `prefix` is a one-letter preposition."""
    if d.chance(0.14):
        name = Node(prefix + d.stem(NAMES), "PROPN", deprel)
        return name.put_first(Node("את", "ADP", "case:acc") if deprel == "obj" else None), d.one(("m", "f"))
    if not prefix and deprel == "nsubj" and d.chance(0.12):
        agreement = d.one(AGREEMENTS)
        return Node({"m": "הוא", "f": "היא", "mp": "הם", "fp": "הן"}[agreement], "PRON", deprel), agreement
    form, agreement = noun(d)
    definite = d.chance(0.55)
    article = "ה" if definite else ""
    head = Node((prefix or article) + form, "NOUN", deprel)
    if d.chance(0.4):
        modifier = Node(article + adjective(d, agreement), "ADJ", "amod")
        if d.chance(0.12):
            modifier.put_after(Node(d.one(("מאוד", "למדי")), "ADV", "advmod"))
        head.put_after(modifier)
    if definite and not prefix and d.chance(0.18):
        this = {"m": "הזה", "f": "הזאת", "mp": "האלה", "fp": "האלה"}[agreement]
        head.put_after(Node(this, "DET", "det"))
    elif agreement.endswith("p") and not prefix and not definite and d.chance(0.3):
        head.put_first(
            Node(d.one(("שלושה", "ארבעה", "עשרה") if agreement == "mp" else ("שלוש", "ארבע", "עשר")), "NUM", "nummod")
        )
    elif definite and not prefix and d.chance(0.16):
        head.put_first(Node("כל", "DET", "det"))
    if definite and deprel == "obj":
        head.put_first(Node("את", "ADP", "case:acc"))
    if depth < 1 and d.chance(0.16):
        owner = (
            noun_phrase(d, "nmod", depth + 1)[0]
            if d.chance(0.7)
            else Node(d.one(("שלי", "שלו", "שלה", "שלנו")), "PRON", "nmod:poss")
        )
        head.put_after(owner if owner.deprel == "nmod:poss" else owner.put_first(Node("של", "ADP", "case")))
    elif depth < 1 and d.chance(0.08):
        head.put_after(predicate(d, agreement, 1).as_("acl:relcl").put_first(Node("אשר", "SCONJ", "mark")))
    return head, agreement


def prepositional(d: Draw, deprel: str, depth: int = 0) -> Node:
    if d.chance(0.35):
        return noun_phrase(d, deprel, depth, d.one(("ב", "ל", "מ")))[0]
    return noun_phrase(d, deprel, depth)[0].put_first(Node(d.one(PREPOSITIONS), "ADP", "case"))


def predicate(d: Draw, agreement: str, depth: int = 0) -> Node:
    kind = d.pattern([(50, "transitive"), (24, "intransitive"), (10, "adjective"), (6, "want"), (8, "that")])
    if kind == "adjective":
        node = Node(adjective(d, agreement), "ADJ")
        if d.chance(0.5):
            node.put_first(Node({"m": "היה", "f": "הייתה", "mp": "היו", "fp": "היו"}[agreement], "AUX", "cop"))
        return node
    if kind == "want":
        node = Node({"m": "רוצה", "f": "רוצה", "mp": "רוצים", "fp": "רוצות"}[agreement], "VERB")
        return node.put_after(Node(woven(root(d), "ל12ו3"), "VERB", "xcomp").put_after(noun_phrase(d, "obj", 1)[0]))
    node = Node(verb_form(d, agreement), "VERB")
    if d.chance(0.1):
        node.put_first(Node("לא", "ADV", "advmod"))
    if kind == "that" and depth == 0:
        return node.put_after(clause(d, 1).as_("ccomp").put_first(Node("כי", "SCONJ", "mark")))
    if kind == "transitive":
        node.put_after(noun_phrase(d, "obj", depth)[0])
    if d.chance(0.3):
        node.put_after(Node(adverb_form(d), "ADV", "advmod"))
    if d.chance(0.35 if depth == 0 else 0.1):
        node.put_after(prepositional(d, "obl", 1))
    return node


def clause(d: Draw, depth: int = 0) -> Node:
    subject, agreement = noun_phrase(d, "nsubj", depth)
    return predicate(d, agreement, depth).put_first(subject)


def sentence(d: Draw) -> Node:
    """One sentence as a tree, with its final stop."""
    kind = d.pattern([(52, "plain"), (12, "when"), (12, "and"), (12, "verb first"), (10, "question")])
    if kind == "verb first":
        subject, agreement = noun_phrase(d, "nsubj", 1)
        root_node = Node(verb_form(d, agreement), "VERB").put_after(subject)
        root_node.put_first(Node(adverb_form(d), "ADV", "advmod") if d.chance(0.6) else prepositional(d, "obl", 1))
        return root_node.put_after(Node(".", "PUNCT", "punct"))
    root_node = clause(d)
    if kind == "when":
        mark = Node(d.one(("כאשר", "אם", "כי")), "SCONJ", "mark")
        root_node.put_after(clause(d, 1).as_("advcl").put_first(comma(), mark))
    elif kind == "and":
        link = Node(d.one(("אבל", "או", "וגם", "אך")), "CCONJ", "cc")
        root_node.put_after(clause(d, 1).as_("conj").put_first(comma() if d.chance(0.4) else None, link))
    elif kind == "question":
        root_node.put_first(Node("האם", "PART", "mark"))
        return root_node.put_after(Node("?", "PUNCT", "punct"))
    return root_node.put_after(Node(".", "PUNCT", "punct"))
