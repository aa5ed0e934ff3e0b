"""The ten slides of the talk: one function for each, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.slides import findings, pictures, rows, theme
from bakeoff.slides import recipe as recipe_tables
from bakeoff.slides.canvas import Deck, Page, Paragraph, Style
from bakeoff.slides.formats import three_digits, whole
from bakeoff.slides.grid import lay_out_blocks
from bakeoff.slides.parts import (
    Leftover,
    ablation_names,
    dataset_name,
    figure,
    figure_and_text,
    protocol_name,
    say,
    table,
)
from bakeoff.slides.results import Results
from bakeoff.slides.tables import Table
from bakeoff.slides.theme import Box
from bakeoff.slides.values import Text, Value
from bakeoff.slides.words import Words

BULLET = Style(bullet=True, gap=0.6)
CAPTION = Style(theme.GREY, gap=0.4)
HEADING = Style(theme.ACCENT, bold=True)
LEAD = Style(gap=0.7)

PROTOCOLS = ("uniform", "tuned", "fast")
"""Those with sentences of their own; any other is shown by its name."""


def title(deck: Deck, results: Results, words: Words) -> None:
    """1: the study, its data, its protocol and when it ran."""
    models, study = results.models, results.study
    page = deck.page()
    page.block(Box(0, 0, 14, theme.HEIGHT), theme.ACCENT, name="Edge")
    variants, dataset = models.count("variant"), dataset_name(results, words)
    key = "one" if len(models.rows) == 1 else "many"
    page.headline(
        Box(72, 112, 800, 132),
        words.say(f"title.title.{key}", variants=variants, dataset=dataset),
        (42, 38, 34, 30, 26),
        anchor="bottom",
    )
    page.block(Box(72, 262, 96, 3), theme.ACCENT, name="Rule")
    first, last = results.first_start(), results.last_end()
    dates = "one_day" if first.text == last.text else "period"
    # Arms may be trained for longer than what is compared.
    epochs = _span([models, *results.ablations.values()], "epochs", words)
    seeds = _span([models], "seeds", words)
    details = [
        words.say(
            "title.study", study=study.value("study.name"), protocol=protocol_name(results, words)
        ),
        words.say(
            "title.runs",
            runs=results.run_count(),
            epochs=epochs,
            seeds=seeds,
        ),
        words.say(f"title.dates.{dates}", first=first, last=last),
    ]
    page.write(
        Box(72, 282, 800, 110),
        [Paragraph(text, Style(theme.GREY, gap=0.35)) for text in details],
        (20, 18, 16, 14),
    )
    warnings = []
    if results.synthetic:
        warnings.append(words.say("common.synthetic"))
    if not results.repeated:
        warnings.append(words.tell(findings.headline(results)))
    if warnings:
        box = Box(72, 404, 800, 92)
        page.block(box, theme.PALE, name="Panel")
        page.write(
            box.inner(16, 10), [Paragraph(text, Style(gap=0.3)) for text in warnings],
            theme.CAPTION_SIZES, anchor="middle",
        )  # fmt: skip
    notes = [
        words.say(
            "title.notes",
            study=study.value("study.name"),
            dataset=dataset,
            variants=variants,
            runs=results.run_count(),
        )
    ]
    if pictures.language_of(words) != words.language:
        notes.append(words.say("title.english_figures"))
    say(page, words, *notes)


def method(deck: Deck, results: Results, words: Words) -> None:
    """2: the question, the three splits, and what the intervals count."""
    kind = "repeated" if results.repeated else "one_seed"
    page = deck.topic(words.say("method.kicker"), words.say(f"method.title.{kind}"))
    question, rest = page.body.top_part(64, gap=14)
    page.write(
        question,
        [Paragraph(words.say("method.question", dataset=dataset_name(results, words)))],
        (22, 20, 18, 16),
        anchor="middle",
    )
    data = results.data
    train, validation, test = (
        data.value(f"{split}_images", whole) for split in ("train", "validation", "test")
    )
    bar, cards = rest.top_part(66, gap=24)
    _splits(page, bar, words, train, validation, test)

    seeds = _seeds_text(results, words)
    level = rows.confidence()
    texts = {
        "validation": words.say("method.card.validation.text", validation=validation),
        "test": words.say("method.card.test.text", test=test),
        "seeds": seeds,
        "intervals": words.say(f"method.card.intervals.text.{kind}", confidence=level),
    }
    boxes = cards.columns(1, 1, 1, 1, gap=18)
    for box in boxes:
        page.block(box, theme.PALE, name="Card")
        page.block(Box(box.left, box.top, box.width, 3), theme.ACCENT, name="Card edge")
    blocks = [
        [Paragraph(words.say(f"method.card.{name}.heading"), HEADING), Paragraph(text, LEAD)]
        for name, text in texts.items()
    ]
    page.write_alike([box.inner(16, 16) for box in boxes], blocks)
    classes = data.count("classes")
    say(
        page,
        words,
        words.say("method.notes", train=train, validation=validation, test=test, classes=classes),
    )


def architectures(deck: Deck, results: Results, words: Words) -> Leftover:
    """3: the families, their ideas and their variants."""
    variants, families = results.models.count("variant"), results.models.distinct("family")
    key = "one" if len(results.models.rows) == 1 else "many"
    heading = words.say(f"architectures.title.{key}", variants=variants, families=families)
    page = deck.topic(words.say("architectures.kicker"), heading)
    grid = rows.architectures(results, words)
    say(page, words, words.say("architectures.notes", variants=variants, families=families))
    return table(page, grid, words.say("architectures.kicker"), heading)


def recipe(deck: Deck, results: Results, words: Words) -> Leftover:
    """4: how the variants were trained."""
    name = str(results.study.get("study.protocol"))
    key = name if name in PROTOCOLS else "other"
    shown = protocol_name(results, words)
    heading = words.say(
        f"protocol.title.{key}",
        epochs=results.study.value("study.epochs", whole),
        protocol=shown,
    )
    page = deck.topic(words.say("protocol.kicker"), heading)
    say(page, words, words.say("protocol.notes", protocol=shown))
    recipes = recipe_tables.recipes(results)
    if len(recipes) == 1:
        blocks = recipe_tables.blocks(recipes[0], words)
        if placed := lay_out_blocks(blocks, page.body, gaps=(48, 18)):
            for box, sheet in placed:
                page.table(box, sheet, "Recipe")
            return Leftover()
    grid = recipe_tables.table(recipes, words)
    return table(page, grid, words.say("protocol.kicker"), heading)


def overall(deck: Deck, results: Results, words: Words) -> None:
    """5: accuracy of all variants, and whether one is ahead."""
    head = findings.headline(results)
    page = deck.topic(words.say("overall.kicker"), words.tell(head))
    told = [
        findings.accuracy_range(results),
        findings.rank_of_best(results),
        *findings.leading_group(results, words),
        findings.pair_counts(results),
        findings.not_judged(results, words),
        findings.uneven_seeds(results, words),
    ]
    texts = [words.tell(finding) for finding in told if finding is not None]
    if not results.repeated:
        texts.append(words.say("overall.images_only"))
    figure_and_text(page, "accuracy_bars", words.say("overall.alt"), texts, results, words)
    best = findings.name_of(results, findings.networks(results)[0])
    say(
        page,
        words,
        words.say("overall.notes", best=best, variants=results.models.count("variant")),
    )


def efficiency(deck: Deck, results: Results, words: Words) -> None:
    """6: accuracy against the number of parameters."""
    page = deck.topic(words.say("efficiency.kicker"), words.tell(findings.size_of_leaders(results)))
    ratio = findings.most_efficient(results)
    told = [findings.gap_to_best(results), findings.front_of_sizes(results, words), ratio]
    texts = [words.tell(finding) for finding in told if finding is not None]
    if ratio is not None:
        texts.append(words.say("efficiency.ratio_limit"))
    alt = words.say("efficiency.alt")
    figure_and_text(page, "accuracy_vs_parameters", alt, texts, results, words)
    best = findings.name_of(results, findings.networks(results)[0])
    say(page, words, words.say("efficiency.notes", best=best))


def dynamics(deck: Deck, results: Results, words: Words) -> None:
    """7: learning curves, and accuracy against training time."""
    page = deck.topic(words.say("dynamics.kicker"), words.tell(findings.training_time(results)))
    figures, captions = page.body.rows(320, 50, gap=12)
    left, right = figures.columns(1, 1)
    alts = words.say("dynamics.curves_alt"), words.say("dynamics.time_alt")
    figure(page, left, "learning_curves", alts[0], results, words)
    figure(page, right, "accuracy_vs_time", alts[1], results, words)
    below_left, below_right = captions.columns(1, 1)
    page.write(below_left, [Paragraph(words.say("dynamics.curves"), CAPTION)], theme.CAPTION_SIZES)
    hours = results.gpu_hours(three_digits)
    if hours is None:
        cost = words.say("dynamics.cost_unknown")
    else:
        cost = words.say("dynamics.cost", gpu_hours=hours, runs=results.run_count())
    page.write(below_right, [Paragraph(cost, CAPTION)], theme.CAPTION_SIZES)
    say(page, words, words.say("dynamics.notes"))


def ablations(deck: Deck, results: Results, words: Words) -> None:
    """8: what each ablation shows."""
    names = ablation_names(results, words)
    head = findings.title_of_ablations(results, names, words)
    page = deck.topic(words.say("ablations.kicker"), words.tell(head))
    say(page, words, words.say("ablations.notes"))
    if not results.ablations:
        page.write(page.body, [words.say("ablations.none")])
        return
    left, texts = page.body.columns(1.6, 1, gap=28)
    boxes = texts.rows(*[1] * len(names), gap=14)
    alt = words.say("ablations.alt", ablation=words.listing(names))
    figure(page, left, "ablation_deltas", alt, results, words)
    blocks = []
    for name, arms in zip(names, results.ablations.values(), strict=True):
        told = [*findings.verdicts(arms, words), findings.saving(arms, words)]
        told += findings.same_networks(arms, words)[:1]
        sentences = [words.tell(finding) for finding in told if finding is not None]
        blocks.append(
            [Paragraph(name, HEADING), *(Paragraph(s, Style(gap=0.3)) for s in sentences)]
        )
    page.write_alike(boxes, blocks, theme.CAPTION_SIZES)


def claims(deck: Deck, results: Results, words: Words) -> Leftover:
    """9: published figures, tested."""
    heading = words.say(f"claims.title.{_claims_key(results)}")
    page = deck.topic(words.say("claims.kicker"), heading)
    say(page, words, words.say("claims.notes"))
    if not results.claims.rows:
        page.write(page.body, [words.say("claims.none")])
        return Leftover()
    counts = [words.tell(finding) for finding in findings.claims_of(results)]
    below = page.body
    told, page.body = below.top_part(22 * len(counts), gap=6)
    page.write(told, [Paragraph(text) for text in counts], theme.CAPTION_SIZES)
    return table(page, rows.claims(results, words), words.say("claims.kicker"), heading)


def conclusions(deck: Deck, results: Results, words: Words) -> None:
    """10: what the data shows, and what it leaves open."""
    head = findings.headline(results)
    outcome = head.key.rsplit(".", 1)[1]
    key = "one_seed" if outcome == "one_judged" else outcome
    key = "one_variant" if outcome == "identical" else key
    dataset = dataset_name(results, words)
    best = findings.name_of(results, findings.networks(results)[0])
    page = deck.topic(
        words.say("conclusions.kicker"),
        words.say(f"conclusions.title.{key}", best=best, dataset=dataset),
    )
    found = [words.tell(head)]
    if not results.repeated:
        found += _of_one_seed(results, words)
    else:
        found.append(words.tell(findings.size_of_leaders(results)))
        names = ablation_names(results, words)
        for label, arms in zip(names, results.ablations.values(), strict=True):
            sentence = words.tell(findings.verdicts(arms, words)[0])
            found.append((*label, words.templates["common.colon"], *sentence))
    if _claims_key(results) == "none_tested":
        found.append(words.say("claims.title.none_tested"))
    else:
        found += [words.tell(finding) for finding in findings.claims_of(results)]
    subjects = {"found": found, "unknown": _limits(results, words, dataset)}
    boxes, blocks = [], []
    for box, (name, texts) in zip(
        page.body.columns(1.15, 1, gap=48), subjects.items(), strict=True
    ):
        heading, below = box.top_part(26, gap=14)
        page.write(heading, [Paragraph(words.say(f"conclusions.{name}"), HEADING)], (18,))
        page.block(Box(box.left, heading.top + 28, box.width, 1.5), theme.ACCENT, name="Rule")
        boxes.append(below)
        blocks.append([Paragraph(text, BULLET) for text in texts])
    page.write_alike(boxes, blocks)
    say(page, words, words.say("conclusions.notes"))


def _splits(
    page: Page, box: Box, words: Words, train: Value, validation: Value, test: Value
) -> None:
    """Draw the splits as a bar whose parts stand to each other as their numbers of images."""
    kept = float(train.content) - float(validation.content)
    shares = [max(n, 0.02 * kept) for n in (kept, float(validation.content), float(test.content))]
    colours = (theme.ACCENT, theme.ACCENT_LIGHT, theme.GREY)
    bar, below = box.top_part(18, gap=8)
    for part, colour in zip(bar.columns(*shares, gap=2), colours, strict=True):
        page.block(part, colour, name="Split")
    counts = {"train": train, "validation": validation, "test": test}
    for place, (name, images), colour in zip(
        below.columns(1, 1, 1), counts.items(), colours, strict=True
    ):
        page.block(Box(place.left, place.top + 5, 10, 10), colour, name="Key")
        label = Box(place.left + 18, place.top, place.width - 18, place.height)
        page.write(label, [words.say(f"method.{name}", images=images)], (16, 15, 14, 13, 12))


def _seeds_text(results: Results, words: Words) -> Text:
    if not results.repeated:
        return words.say("method.card.seeds.text.one_seed")
    models, tables = results.models, results.ablations.values()
    seeds = _span([models], "seeds", words)
    if not tables:
        return words.say("method.card.seeds.text.repeated", seeds=seeds)
    arms = _span([*tables], "seeds", words)
    return words.say("method.card.seeds.text.with_ablations", seeds=seeds, arm_seeds=arms)


def _span(tables: Sequence[Table], column: str, words: Words) -> Text:
    """Return from which number to which one a column goes in all of these tables."""
    least = min((table.over("min", column, whole) for table in tables), key=_content)
    most = max((table.over("max", column, whole) for table in tables), key=_content)
    return words.span(least, most)


def _content(value: Value) -> float:
    return float(value.content)


def _of_one_seed(results: Results, words: Words) -> list[Text]:
    """Return what holds although there is one seed: what was run, and what needs no accuracy."""
    pipeline = words.say("conclusions.pipeline", runs=results.run_count())
    told = [findings.accuracy_range(results)]
    told += [findings.saving(table, words) for table in results.ablations.values()]
    return [pipeline, *(words.tell(finding) for finding in told if finding is not None)]


def _claims_key(results: Results) -> str:
    if not results.claims.rows:
        return "none"
    return "none_tested" if findings.none_tested(results) else "tested"


def _limits(results: Results, words: Words, dataset: Value) -> list[Text]:
    study, models = results.study, results.models
    limits = []
    if results.synthetic:
        limits.append(words.say("common.synthetic"))
    least, most = models.over("min", "seeds", whole), models.over("max", "seeds", whole)
    if results.repeated:
        limits.append(words.say("conclusions.limit.seeds", seeds=words.span(least, most)))
        if least.content == 2:
            level, coverage = rows.confidence(), rows.coverage_of_two_seeds()
            limits.append(
                words.say("conclusions.limit.two_seeds", confidence=level, coverage=coverage)
            )
    else:
        limits.append(words.say("conclusions.limit.one_seed"))
    size = results.data.value("image_size", whole)
    limits.append(words.say("conclusions.limit.dataset", dataset=dataset, size=size))
    protocol = str(study.get("study.protocol"))
    limits.append(
        words.say(
            f"conclusions.limit.{protocol if protocol in PROTOCOLS else 'other'}",
            epochs=study.value("study.epochs", whole),
            protocol=protocol_name(results, words),
        )
    )
    pretrained = models.count("pretrained", "True")
    if pretrained.content:
        limits.append(words.say("conclusions.limit.pretrained", count=pretrained))
    return [*limits, words.say("conclusions.limit.scope")]
