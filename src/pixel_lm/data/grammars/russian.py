"""A small grammar of Russian: three genders, two numbers, six cases, and derivation that makes new words.

Conventions of this grammar: participles are ADJ, gerunds in -я and infinitives are VERB, его, её, их and the pronouns
that decline like adjectives are DET. Stems are chosen so that they need no fleeting vowel; the genitive plural and
the accusative plural of living things are not used. Derived words are possible words, not always attested ones.
"""

from __future__ import annotations

from pixel_lm.data.grammars.tree import NUMBERS, Draw, Node, comma, words

# Nouns by declension, without their ending: `m` masculine things, `ma` living ones, `f` feminine (`fa` living ones),
# `n` neuter.
NOUNS = {
    "m": words("""стол завод сад мост забор роман автобус билет балкон вагон журнал закон зонт камин канал карман
    класс костюм лимон магазин мотор огород океан парк портрет праздник самолёт стакан суп театр телефон трактор урок
    флаг фонтан фрукт хвост храм чемодан шарф экран ящик дуб гриб кран диван барабан простор рассвет"""),
    "ma": words("""студент инженер артист солдат поэт пират капитан волк слон тигр мальчик охотник рыбак моряк
    художник внук шофёр актёр садовник барсук жук верблюд адвокат"""),
    "f": words("""ламп комнат газет машин картин корзин школ гор рек книг дорог роз берёз лун стен трав зим погод
    побед ваз карт труб ракет конфет монет минут бумаг лодк сумк шапк чашк ложк вилк тарелк рубашк ручк скамейк аптек
    библиотек пил"""),
    "fa": words("собак кошк коров лис белк утк щук подруг рыб бабочк соседк"),
    "n": words("окн кресл зеркал одеял письм облак болот стекл мыл зерн полотн мест дел масл пятн кружев"),
}
SOFT = words("печ стал ноч тетрад площад двер помощ реч мыш лошад")  # feminine in -ь; печь, стали are also verb forms
LIKE_ADJECTIVES = words("рабоч дежурн прохож учён военн пленн знаком встречн")  # nouns that decline like adjectives
TRANSITIVE = words("""читать рисовать строить слушать делать хвалить собирать планировать варить бросать ремонтировать
чинить открывать хранить закрывать фотографировать поднимать копировать ценить украшать защищать пробовать солить
вспоминать встречать атаковать ловить решать толкать ломать кормить замечать стирать красить кусать получать паковать
ставить посещать готовить менять проверять тренировать чистить сажать обнимать маскировать сушить повторять
демонстрировать точить догонять носить группировать мыть терять охранять рубить""")
INTRANSITIVE = words("""гулять работать говорить плавать летать звонить мечтать отдыхать спешить бегать прыгать
ходить играть скучать опаздывать шутить рыдать вздыхать дружить чихать мигать грустить танцевать странствовать
отсутствовать""")
CLAIMING = words("говорить мечтать вспоминать замечать думать знать понимать отвечать")
ADJECTIVES = words("""новый старый красивый тихий быстрый умный грустный важный длинный громкий добрый железный
зелёный высокий красный белый чёрный жёлтый интересный холодный круглый широкий кислый медный мокрый нежный опасный
полный прочный радостный глубокий светлый свободный сильный серьёзный скромный скучный славный яркий слабый смелый
спокойный странный страшный твёрдый редкий трудный толстый удобный мягкий ленивый полезный сладкий унылый гордый
робкий хитрый""")
RELATIVE = words("садов рабоч школьн детск дежурн военн сельск деревянн пленн каменн знаком рыночн")
SHORT = words("""красив важн опасн свободн спокойн скромн скучн странн страшн удобн интересн серьёзн грустн холодн
трудн полезн""")
ADVERBS = words("всегда никогда снова здесь там вчера завтра вместе почти вокруг мимо рядом после опять уже домой дома")
NAMES = {
    "m": words("Иван Роман Максим Антон Борис Степан Виктор Кирилл Тарас Платон Герман Федот"),
    "f": words("Вер Анн Роз Лар Нин Светлан Марин Полин Зинаид Клар Тамар Глафир"),
}
HUSHING = "гкхжшчщ"

NOUN_ENDINGS = {
    ("m", "sg"): {"nom": "", "gen": "а", "dat": "у", "acc": "", "ins": "ом", "loc": "е"},
    ("f", "sg"): {"nom": "а", "gen": "ы", "dat": "е", "acc": "у", "ins": "ой", "loc": "е"},
    ("n", "sg"): {"nom": "о", "gen": "а", "dat": "у", "acc": "о", "ins": "ом", "loc": "е"},
    ("ь", "sg"): {"nom": "ь", "gen": "и", "dat": "и", "acc": "ь", "ins": "ью", "loc": "и"},
    ("тель", "sg"): {"nom": "ь", "gen": "я", "dat": "ю", "acc": "я", "ins": "ем", "loc": "е"},
    ("ние", "sg"): {"nom": "е", "gen": "я", "dat": "ю", "acc": "е", "ins": "ем", "loc": "и"},
    ("m", "pl"): {"nom": "ы", "dat": "ам", "acc": "ы", "ins": "ами", "loc": "ах"},
    ("n", "pl"): {"nom": "а", "dat": "ам", "acc": "а", "ins": "ами", "loc": "ах"},
    ("ь", "pl"): {"nom": "и", "dat": "ям", "acc": "и", "ins": "ями", "loc": "ях"},
    ("ние", "pl"): {"nom": "я", "dat": "ям", "acc": "я", "ins": "ями", "loc": "ях"},
}
ADJECTIVE_ENDINGS = {
    "m": {"nom": "ый", "gen": "ого", "dat": "ому", "ins": "ым", "loc": "ом"},
    "n": {"nom": "ое", "gen": "ого", "dat": "ому", "acc": "ое", "ins": "ым", "loc": "ом"},
    "f": {"nom": "ая", "gen": "ой", "dat": "ой", "acc": "ую", "ins": "ой", "loc": "ой"},
    "pl": {"nom": "ые", "gen": "ых", "dat": "ым", "acc": "ые", "ins": "ыми", "loc": "ых"},
}
PREPOSITIONS = {
    "gen": ("у", "около", "без", "для", "от", "до", "из", "вокруг", "мимо", "после"),
    "ins": ("с", "под", "над", "за", "перед"),
    "loc": ("в", "на", "о", "при"),
    "dat": ("к", "по"),
}
POSSESSIVES = ("его", "её", "их")
PAST = {"m": "л", "f": "ла", "n": "ло", "pl": "ли"}


def spelled(stem: str, ending: str) -> str:
    """`stem` + `ending` by the spelling rules: no ы after к, г, х, ж, ш, ч, щ; no unstressed о after ж, ш, ч, щ."""
    if stem[-1] in HUSHING and ending.startswith("ы"):
        ending = "и" + ending[1:]
    if stem[-1] in "жшчщ" and ending.startswith("о") and ending != "о":
        ending = "е" + ending[1:]
    return stem + ending


def declined(stem: str, group: str, number: str, case: str, living: bool) -> str:
    if living and group == "m" and number == "sg" and case == "acc":
        case = "gen"
    if group in ("f", "тель") and number == "pl":
        group = "m" if group == "f" else "ь"
    endings = NOUN_ENDINGS[group, number]
    return spelled(stem, endings[case])


def adjective(stem: str, agreement: str, case: str, living: bool) -> str:
    """The form of an adjective, `stem` without its ending, that agrees with `agreement` (m, f, n or pl)."""
    if case == "acc" and agreement == "m":
        case = "gen" if living else "nom"
    return spelled(stem, ADJECTIVE_ENDINGS[agreement][case])


def past_stem(verb: str) -> str:
    return verb[:-2]


def present(verb: str, number: str) -> str:
    """Third person of the present: читает, рисуют, строит, спешат."""
    third, third_plural = ("ет", "ют")
    stem = verb[:-2]
    if verb.endswith(("овать", "евать")):
        stem = verb[:-5] + "у"
    elif verb == "мыть":
        stem = "мо"
    elif verb.endswith("ить"):
        stem = verb[:-3]
        third, third_plural = "ит", ("ат" if stem[-1] in "жшчщ" else "ят")
    return stem + (third if number == "sg" else third_plural)


def adjective_stem(d: Draw) -> str:
    kind = d.pattern([(58, "plain"), (8, "not"), (14, "active"), (12, "passive"), (8, "relative")])
    if kind == "active":
        while (verb := d.stem(TRANSITIVE)).endswith("ить"):
            pass
        return prefixed(d, present(verb, "pl")[:-1] + "щ")
    if kind == "passive":
        while not (verb := d.stem(TRANSITIVE)).endswith("ать"):
            pass
        return prefixed(d, past_stem(verb) + "нн")
    if kind == "relative":
        return d.stem(RELATIVE)
    return ("не" if kind == "not" else "") + d.stem(ADJECTIVES)[:-2]


def prefixed(d: Draw, verb: str) -> str:
    return d.one(("пере", "до", "за", "по", "про", "на")) + verb if d.chance(0.22) else verb


def noun(d: Draw, case: str) -> tuple[str, str, str, bool]:
    """A noun form in `case`, its gender, its number and whether it is a living thing."""
    number = d.one(NUMBERS)
    kind = d.pattern(
        [
            (30, "m"),
            (10, "ma"),
            (24, "f"),
            (8, "fa"),
            (12, "n"),
            (5, "ь"),
            (5, "тель"),
            (9, "ние"),
            (9, "ость"),
            (4, "adj"),
        ]
    )
    living = kind in ("ma", "fa", "тель", "adj")
    if number == "pl" and (case == "gen" or (living and case == "acc")):
        number = "sg"
    if kind == "adj":
        return adjective(d.stem(LIKE_ADJECTIVES), "m", case, True), "m", "sg", True
    if kind == "тель":
        while not (verb := d.stem(TRANSITIVE)).endswith("ить"):
            pass
        return declined(prefixed(d, past_stem(verb) + "тел"), kind, number, case, True), "m", number, True
    if kind == "ние":
        while not (verb := d.stem(TRANSITIVE)).endswith("ать"):
            pass
        return declined(prefixed(d, past_stem(verb) + "ни"), kind, number, case, False), "n", number, False
    if kind == "ость":
        stem = ("не" if d.chance(0.15) else "") + d.stem(ADJECTIVES)[:-2] + "ост"
        return declined(stem, "ь", "sg", case, False), "f", "sg", False
    if kind == "ь":
        stem = d.stem(SOFT)
        return declined(stem, "ь", "sg", case, False), "f", "sg", False
    return declined(d.stem(NOUNS[kind]), kind[0], number, case, living), kind[0], number, living


def noun_phrase(d: Draw, deprel: str, case: str, depth: int = 0) -> tuple[Node, str]:
    """A noun phrase and what agrees with it: m, f, n or pl."""
    kind = d.pattern([(76, "noun"), (14, "name"), (10, "pronoun")])
    if kind == "pronoun" and case == "nom":
        agreement = d.one(("m", "f", "n", "pl"))
        return Node(
            {"m": "он", "f": "она", "n": "оно", "pl": d.one(("они", "мы", "вы"))}[agreement], "PRON", deprel
        ), agreement
    if kind == "pronoun" and case == "acc":
        return Node(d.one(("его", "её", "их", "нас", "вас", "что-то")), "PRON", deprel), "m"
    if kind == "name":
        gender = d.one(("m", "f"))
        return Node(declined(d.stem(NAMES[gender]), gender, "sg", case, True), "PROPN", deprel), gender
    form, gender, number, living = noun(d, case)
    agreement = "pl" if number == "pl" else gender
    head = Node(form, "NOUN", deprel)
    if d.chance(0.45):
        modifier = Node(adjective(adjective_stem(d), agreement, case, living), "ADJ", "amod")
        if d.chance(0.12):
            modifier.put_before(Node(d.one(("очень", "слишком", "почти")), "ADV", "advmod"))
        head.put_first(modifier)
    if d.chance(0.16):
        head.put_first(Node(d.one(POSSESSIVES), "DET", "det"))
    elif d.chance(0.16):
        head.put_first(Node(adjective(d.one(("кажд", "всяк")), agreement, case, living), "DET", "det"))
    if depth < 1 and d.chance(0.16):
        head.put_after(noun_phrase(d, "nmod", "gen", depth + 1)[0])
    elif depth < 1 and d.chance(0.1):
        head.put_after(prepositional(d, "nmod", depth + 1))
    return head, agreement


def prepositional(d: Draw, deprel: str, depth: int = 0) -> Node:
    case = d.one(("gen", "ins", "loc", "loc", "dat"))
    preposition = d.one(PREPOSITIONS[case])
    phrase, _ = noun_phrase(d, deprel, case, depth)
    first = next(iter(phrase.in_order())).form.lower()
    if preposition == "о" and first[0] in "аеиоуэ":
        preposition = "об"
    elif preposition == "с" and first[0] in "сзшж" and first[1] not in "аеёиоуыэюя":
        preposition = "со"
    elif preposition == "в" and first[0] in "вф" and first[1] not in "аеёиоуыэюя":
        preposition = "во"
    return phrase.put_first(Node(preposition, "ADP", "case"))


def adverb_form(d: Draw) -> str:
    if d.chance(0.62):
        return ("не" if d.chance(0.12) else "") + d.stem(ADJECTIVES)[:-2] + "о"
    return d.stem(ADVERBS)


def verb_node(d: Draw, agreement: str, stems: list[str]) -> Node:
    verb = d.stem(stems)
    number = "pl" if agreement == "pl" else "sg"
    kind = d.pattern([(46, "past"), (34, "present"), (10, "future"), (10, "can")])
    if kind == "past":
        node = Node(prefixed(d, past_stem(verb)) + PAST[agreement], "VERB")
    elif kind == "present":
        node = Node(present(verb, number), "VERB")
    elif kind == "future":
        node = Node(verb, "VERB").put_before(Node("будет" if number == "sg" else "будут", "AUX", "aux"))
    else:
        node = Node(d.one(("может", "хочет") if number == "sg" else ("могут", "хотят")), "VERB")
        node.put_after(Node(prefixed(d, verb), "VERB", "xcomp"))
    if d.chance(0.12):
        node.put_first(Node("не", "PART", "advmod"))
    return node


def predicate(d: Draw, agreement: str, depth: int = 0) -> Node:
    kind = d.pattern(
        [
            (46, "transitive"),
            (24, "intransitive"),
            (8, "short"),
            (6, "was"),
            (6, "become"),
            (6, "that"),
            (4, "perfective"),
        ]
    )
    if kind == "short" and agreement != "m":
        node = Node(d.stem(SHORT) + {"f": "а", "n": "о", "pl": "ы"}[agreement], "ADJ")
        return node.put_first(Node(d.one(("очень", "так", "слишком")), "ADV", "advmod") if d.chance(0.4) else None)
    if kind == "was":
        node, _ = noun_phrase(d, "dep", "ins", 1)
        return node.put_first(Node({"m": "был", "f": "была", "n": "было", "pl": "были"}[agreement], "AUX", "cop"))
    if kind == "become":
        node = Node("ста" + PAST[agreement], "VERB")
        ending = adjective(adjective_stem(d), agreement, "ins", False)
        return node.put_after(Node(ending, "ADJ", "xcomp"))
    if kind == "that" and depth == 0:
        node = verb_node(d, agreement, CLAIMING)
        return node.put_after(clause(d, 1).as_("ccomp").put_first(comma(), Node("что", "SCONJ", "mark")))
    if kind == "perfective":  # short verbs whose past looks like a noun: пила, мыла, стекло, дали
        node = Node(d.one(("пи", "мы", "стек", "да", "жи")) + PAST[agreement], "VERB")
        if node.form == "стекл":
            node.form = "стёк"
    elif kind == "transitive":
        node = verb_node(d, agreement, TRANSITIVE).put_after(noun_phrase(d, "obj", "acc", depth)[0])
    else:
        node = verb_node(d, agreement, INTRANSITIVE)
    if d.chance(0.28):
        adverb = Node(adverb_form(d), "ADV", "advmod")
        if d.chance(0.5):
            node.put_first(adverb)
        else:
            node.put_after(adverb)
    if d.chance(0.35 if depth == 0 else 0.1):
        node.put_after(prepositional(d, "obl", 1))
    return node


def clause(d: Draw, depth: int = 0) -> Node:
    subject, agreement = noun_phrase(d, "nsubj", "nom", depth)
    return predicate(d, agreement, depth).put_first(subject)


def sentence(d: Draw) -> Node:
    """One sentence as a tree, with its final stop."""
    kind = d.pattern([(52, "plain"), (11, "when"), (10, "and"), (9, "gerund"), (9, "front"), (9, "question")])
    if kind == "front":  # adverbial first, verb before subject
        subject, agreement = noun_phrase(d, "nsubj", "nom", 1)
        root = verb_node(d, agreement, INTRANSITIVE).put_after(subject)
        root.put_first(prepositional(d, "obl", 1) if d.chance(0.6) else Node(adverb_form(d), "ADV", "advmod"))
    else:
        root = clause(d)
    if kind == "when":
        mark = Node(d.one(("когда", "если", "хотя", "пока", "ибо")), "SCONJ", "mark")
        root.put_after(clause(d, 1).as_("advcl").put_first(comma(), mark))
    elif kind == "and":
        link = Node(d.one(("и", "а", "но", "и")), "CCONJ", "cc")
        root.put_after(clause(d, 1).as_("conj").put_first(comma(), link))
    elif kind == "gerund":
        while not (verb := d.stem(TRANSITIVE)).endswith(("ать", "ять")) or verb.endswith("овать"):
            pass
        gerund = Node(present(verb, "pl")[:-2] + "я", "VERB", "advcl").put_after(noun_phrase(d, "obj", "acc", 1)[0])
        root.put_after(gerund.put_first(comma()))
    elif kind == "question":
        root.put_first(Node(d.one(("разве", "неужели", "и")), "PART", "advmod"))
        return root.put_after(Node("?", "PUNCT", "punct"))
    return root.put_after(Node(".", "PUNCT", "punct"))
