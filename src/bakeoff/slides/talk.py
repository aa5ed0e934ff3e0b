"""The ten slides of the talk: one function for each, in the order in which they are shown.

`SECONDS` says how long each takes to present, eight to ten minutes together; the speaker's notes are cut to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bakeoff.slides import charts, findings, pictures, records, rows, theme, workflow
from bakeoff.slides import recipe as recipe_tables
from bakeoff.slides.canvas import Deck, Page, Paragraph, Style
from bakeoff.slides.charts import Bar, Dot
from bakeoff.slides.formats import Format, percent, signed, three_digits, whole
from bakeoff.slides.grid import Column, Grid, Line, lay_out_first
from bakeoff.slides.parts import (
    PROTOCOLS,
    Leftover,
    ablation_names,
    claims_key,
    dataset_name,
    protocol_name,
    span_of,
    speak,
    table,
)
from bakeoff.slides.results import Results
from bakeoff.slides.tables import Row, Table
from bakeoff.slides.theme import Box
from bakeoff.slides.values import Text, Value, plain
from bakeoff.slides.words import Words

SECONDS: Mapping[str, int] = {
    "title": 30,
    "background": 60,
    "architectures": 90,
    "framework": 60,
    "overall": 90,
    "efficiency": 60,
    "ablations": 90,
    "conclusions": 60,
    "contributions": 30,
    "outlook": 30,
}

BULLET = Style(bullet=True, gap=0.6)
CAPTION = Style(theme.GREY, gap=0.4)
HEADING = Style(theme.ACCENT, bold=True)
NEXT_HEADING = Style(theme.ACCENT, bold=True, gap=1.2)
LEAD = Style(gap=0.7)
SIZES = (20, 18, 17, 16, 15, 14)
SMALLER = (18, 17, 16, 15, 14)
"""Of text beside a chart or a rule; what does not fit is said, and stands behind the talk."""
TABLE_SIZES = (17, 16, 15, 14)
CHART_SIZE = 14.0
LEGEND = 60.0
"""Height left for the meaning of the colours, in points."""
MOST_BARS, MOST_ROWS, MOST_ABLATIONS, MOST_MACHINES = 18, 9, 3, 2
SET_UP = (
    *("optimizer.name", "learning_rate.base", "epochs", "global_batch", "precision"),
    *("augmentation.policy", "augmentation.mixup", "label_smoothing"),
)
"""Settings that the talk names; the backup has all."""


def title(deck: Deck, results: Results, words: Words) -> None:
    """1: the study, its data, its protocol and when it ran."""
    models, study = results.models, results.study
    page = deck.page()
    page.block(Box(0, 0, 14, theme.HEIGHT), theme.ACCENT, name="Edge")
    variants, dataset = models.count("variant"), dataset_name(results, words)
    key = "one" if len(models.rows) == 1 else "many"
    page.headline(
        Box(72, 92, 800, 152),
        words.say(f"title.title.{key}", variants=variants, dataset=dataset),
        (42, 38, 34, 30, 26),
        anchor="bottom",
    )
    page.block(Box(72, 262, 96, 3), theme.ACCENT, name="Rule")
    first, last = results.first_start(), results.last_end()
    dates = "one_day" if first.text == last.text else "period"
    # Arms may be trained for longer than what is compared.
    epochs = span_of([models, *results.ablations.values()], "epochs", words)
    seeds = span_of([models], "seeds", words)
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
    _occasion(page, results, words)
    page.write(
        Box(72, 282, 800, 84),
        [Paragraph(text, Style(theme.GREY, gap=0.35)) for text in details],
        SMALLER,
    )
    warnings = []
    if results.synthetic:
        warnings.append(words.say("common.synthetic"))
    if not results.repeated:
        warnings.append(words.tell(findings.headline(results)))
    if warnings:
        box = Box(72, 444, 800, 76)
        page.block(box, theme.PALE, name="Panel")
        page.write(
            box.inner(16, 10), [Paragraph(text, Style(gap=0.3)) for text in warnings],
            (16, 15, 14), anchor="middle",
        )  # fmt: skip
    notes = words.say(
        "title.notes",
        study=study.value("study.name"),
        dataset=dataset,
        variants=variants,
        runs=results.run_count(),
    )
    english = pictures.language_of(words) != words.language
    more = [words.say("title.english_figures")] if english else []
    speak(page, words, SECONDS["title"], notes, *more)


def _occasion(page: Page, results: Results, words: Words) -> None:
    """Show who speaks, where and when, and the logo, as far as the configuration says so."""
    talk = results.study.part("talk")
    if logo := talk.get("logo"):
        page.picture(Box(752, 28, 160, 56), Path(logo), (Path(logo).stem,))
    if talk.get("subtitle"):
        page.write(Box(72, 46, 640, 34), [(talk.value("subtitle"),)], (20, 18, 16, 14))
    shown: list[Text] = [
        (talk.value(key),) for key in ("presenter", "course", "date") if talk.get(key)
    ]
    members = _members(results)
    lines = [words.dots(shown)] if shown else []
    if len(members) > 1:
        lines.append(words.listing(members))
    if lines:
        paragraphs = [Paragraph(text, Style(gap=0.3)) for text in lines]
        page.write(Box(72, 374, 800, 60), paragraphs, SMALLER)


def _members(results: Results) -> list[Text]:
    talk = results.study.part("talk")
    return [(talk.value(f"team.{i}.name"),) for i in range(len(talk.get("team", [])))]


def background(deck: Deck, results: Results, words: Words) -> None:
    """2: why, what for, with which images and tools."""
    page = deck.topic(words.say("background.kicker"), words.say("background.title"))
    data, models = results.data, results.models
    train, validation, test = (
        data.value(f"{split}_images", whole) for split in ("train", "validation", "test")
    )
    bar, cards = page.body.top_part(76, gap=24)
    _splits(page, bar, words, train, validation, test)
    counts: dict[str, Value] = {
        "variants": models.count("variant"),
        "families": models.distinct("family"),
        "dataset": dataset_name(results, words),
    }
    texts = {
        "background": words.say("background.card.background.text"),
        "goals": words.say("background.card.goals.text", **counts),
        "stack": records.tools(results, words),
    }
    boxes = cards.columns(1, 1, 1, gap=18)
    for box in boxes:
        page.block(box, theme.PALE, name="Card")
        page.block(Box(box.left, box.top, box.width, 3), theme.ACCENT, name="Card edge")
    blocks = [
        [Paragraph(words.say(f"background.card.{name}.heading"), HEADING), Paragraph(text, LEAD)]
        for name, text in texts.items()
    ]
    page.write_alike([box.inner(16, 16) for box in boxes], blocks, SIZES)
    notes = words.say("background.notes", train=train, validation=validation, test=test, **counts)
    speak(page, words, SECONDS["background"], notes)


def architectures(deck: Deck, results: Results, words: Words) -> Leftover:
    """3: the families, each in one sentence, and how many variants cover them."""
    variants, families = results.models.count("variant"), results.models.distinct("family")
    key = "one" if len(results.models.rows) == 1 else "many"
    heading = words.say(f"architectures.title.{key}", variants=variants, families=families)
    kicker = words.say("architectures.kicker")
    page = deck.topic(kicker, heading)
    notes = words.say("architectures.notes", variants=variants, families=families)
    speak(page, words, SECONDS["architectures"], notes)
    return table(page, rows.architectures(results, words), kicker, heading)


def framework(deck: Deck, results: Results, words: Words, steps: Sequence[tuple[str, str]]) -> None:
    """4: the steps of the workflow, and how the variants were trained."""
    page = deck.topic(words.say("framework.kicker"), words.say("framework.title"))
    recipes = recipe_tables.recipes(results)
    lines = [
        Line(((words.name(setting, "recipe"),), recipe_tables.all_shown(recipes, setting, words)))
        for setting in SET_UP
        if any(recipe.applies(setting) or setting == "precision" for recipe in recipes)
    ]
    lines.append(Line((words.say("framework.runs"), (results.run_count(),))))
    machines = records.machines(results, words)[:MOST_MACHINES]
    lines += [Line((words.say("framework.hardware"), text)) for text in machines]
    columns = (Column(words.say("protocol.setting")), Column((), wraps=True))
    left, right = page.body.columns(1.35, 1, gap=28) if steps else (page.body, page.body)
    sheet = lay_out_first(
        lambda count: Grid(columns, tuple(lines[:count])),
        len(lines),
        (right.width, right.height),
        TABLE_SIZES,
    )
    page.table(right, sheet, "Set-up")
    if steps:
        workflow.draw(page, left, steps, words)
    speak(page, words, SECONDS["framework"], words.say("framework.notes"))


def overall(deck: Deck, results: Results, words: Words) -> None:
    """5: accuracy of all variants, and whether one is ahead."""
    head = findings.headline(results)
    kicker = [words.say("overall.kicker")]
    if words.metric == "balanced":
        kicker.append(words.say("overall.balanced"))
    page = deck.topic(words.dots(kicker), words.tell(head))
    chart, side = page.body.columns(1, 1.3, gap=20)
    shown = findings.networks(results)[:MOST_BARS]
    baselines = findings.baselines(results)
    bars = [_bar(results, row, baselines) for row in shown]
    limits = charts.bar_limits(bars)
    _draw_bars(page, chart, bars, words.say("overall.axis"), limits, words.say("overall.alt"))
    told = [
        findings.rank_of_best(results),
        *findings.leading_group(results, words),
        findings.pair_counts(results),
        findings.not_judged(results, words),
        findings.uneven_seeds(results, words),
        findings.accuracy_range(results),
    ]
    texts = [words.tell(finding) for finding in told if finding is not None]
    if not results.repeated:
        texts.append(words.say("overall.images_only"))
    room = side.height - LEGEND
    sheet = lay_out_first(
        lambda count: rows.leading(results, words, count),
        min(MOST_ROWS, len(shown)),
        (side.width, room),
        TABLE_SIZES,
    )
    page.table(side, sheet, "Table")
    if results.repeated:
        key = "colours_baseline" if any(row in baselines for row in shown) else "colours"
        _, below = side.top_part(sum(sheet.heights))
        page.write(below, [Paragraph(words.say(f"overall.{key}"), CAPTION)], (15, 14))
    speak(page, words, SECONDS["overall"], words.say("overall.notes"), words.tell(head), *texts)


def _bar(results: Results, row: Row, baselines: Sequence[Row]) -> Bar:
    leading = findings.leaders(results)
    colour = theme.INK if row in baselines else theme.BAR
    if row in leading:
        colour = theme.ACCENT if row is leading[0] else theme.ACCENT_LIGHT
    return Bar(
        findings.name_of(results, row).text,
        results.models.value(row, "score_mean", percent),
        _interval(results.models, row, "score_ci_low", "score_ci_high", percent),
        colour,
    )


def efficiency(deck: Deck, results: Results, words: Words) -> None:
    """6: accuracy against the number of parameters."""
    page = deck.topic(words.say("efficiency.kicker"), words.tell(findings.size_of_leaders(results)))
    ratio = findings.most_efficient(results)
    told = [
        findings.gap_to_best(results),
        findings.front_of_sizes(results, words),
        ratio,
        findings.training_time(results),
    ]
    texts = [words.tell(finding) for finding in told if finding is not None]
    models, front = results.models, findings.front(results)
    shown = sorted(findings.networks(results), key=lambda row: float(row["params_m"] or 0))
    named = [row for row in shown if row in findings.worth_naming(results)]
    dots = [
        Dot(
            findings.name_of(results, row).text,
            models.value(row, "params_m", three_digits),
            models.value(row, "score_mean", percent),
            _interval(models, row, "score_ci_low", "score_ci_high", percent),
            theme.ACCENT if row in front else theme.BAR,
            named.index(row) % 2 == 1 if row in named else None,
        )
        for row in shown
    ]
    left, side = page.body.columns(1.7, 1, gap=28)
    axes = words.say("efficiency.x_axis"), words.say("efficiency.y_axis")
    page.chart(
        left,
        lambda shapes, place: charts.scatter_chart(shapes, place, dots, axes, CHART_SIZE),
        words.say("efficiency.alt"),
        tuple(value for dot in dots for value in (dot.x, dot.y, *(dot.interval or ()))),
    )
    shown_texts = page.what_fits(side, [Paragraph(text, BULLET) for text in texts], SMALLER)
    page.write(side, shown_texts, SMALLER, anchor="middle")
    limit = [words.say("efficiency.ratio_limit")] if ratio is not None else []
    speak(page, words, SECONDS["efficiency"], words.say("efficiency.notes"), *texts, *limit)


def ablations(deck: Deck, results: Results, words: Words) -> None:
    """7: what each ablation shows."""
    names = ablation_names(results, words)
    head = findings.title_of_ablations(results, names, words)
    page = deck.topic(words.say("ablations.kicker"), words.tell(head))
    shown = list(zip(names, results.ablations.values(), strict=True))
    told = [[words.tell(f) for f in findings.of_ablation(arms, words)] for _, arms in shown]
    spoken = [sentence for sentences in told for sentence in sentences]
    speak(page, words, SECONDS["ablations"], words.say("ablations.notes"), *spoken)
    if not shown:
        page.write(page.body, [words.say(f"ablations.{results.without_ablations}")])
        return
    shown, told = shown[:MOST_ABLATIONS], told[:MOST_ABLATIONS]
    left, texts = page.body.columns(1.35, 1, gap=28)
    bars = [bar for name, arms in shown for bar in _arm_bars(name, arms, words)][:MOST_BARS]
    if bars:
        alt = words.say("ablations.alt", ablation=words.listing([name for name, _ in shown]))
        _draw_bars(page, left, bars, words.say("ablations.axis"), charts.bar_limits(bars), alt)
    blocks = [
        [Paragraph(name, HEADING), *(Paragraph(text, Style(gap=0.3)) for text in sentences[:2])]
        for (name, _), sentences in zip(shown, told, strict=True)
    ]
    boxes = texts.rows(*[1] * len(shown), gap=12)
    fitting = [page.what_fits(*pair, SMALLER) for pair in zip(boxes, blocks, strict=True)]
    page.write_alike(boxes, fitting, SMALLER)


def _arm_bars(name: Text, arms: Table, words: Words) -> list[Bar]:
    """Return the differences of an ablation's arms from its baseline."""
    colours = {"better": theme.ACCENT, "worse": theme.AGAINST}
    return [
        Bar(
            plain((*name, words.templates["common.colon"], words.name(arms.text(row, "arm")))),
            arms.value(row, "delta", signed),
            _interval(arms, row, "ci_low", "ci_high", signed),
            colours.get(findings.outcome(arms, row), theme.BAR),
        )
        for row in arms.rows
        if arms.number(row, "delta") is not None
    ]


def _draw_bars(
    page: Page,
    box: Box,
    bars: Sequence[Bar],
    axis: Text,
    limits: tuple[float, float],
    alt: Text,
) -> None:
    size = max(12.0, min(CHART_SIZE, 0.7 * (box.height - 50) / len(bars)))
    page.chart(
        box,
        lambda shapes, place: charts.bar_chart(shapes, place, bars, axis, size, limits),
        alt,
        tuple(value for bar in bars for value in (bar.value, *(bar.interval or ()))),
    )


def _interval(
    table: Table, row: Row, low: str, high: str, form: Format
) -> tuple[Value, Value] | None:
    if table.number(row, low) is None or table.number(row, high) is None:
        return None
    return table.value(row, low, form), table.value(row, high, form)


def conclusions(deck: Deck, results: Results, words: Words) -> None:
    """8: what the data shows, and what it leaves open."""
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
    if claims_key(results) == "none_tested":
        found.append(words.say("claims.title.none_tested"))
    else:
        found += [words.tell(finding) for finding in findings.claims_of(results)]
    if not results.repeated:
        found += _of_one_seed(results, words)
    else:
        found.append(words.tell(findings.size_of_leaders(results)))
        names = ablation_names(results, words)
        for label, arms in zip(names, results.ablations.values(), strict=True):
            sentence = words.tell(findings.verdicts(arms, words)[0])
            found.append((*label, words.templates["common.colon"], *sentence))
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
    fitting = [page.what_fits(*pair, SMALLER) for pair in zip(boxes, blocks, strict=True)]
    page.write_alike(boxes, fitting, SMALLER)
    speak(page, words, SECONDS["conclusions"], words.say("conclusions.notes"), *found)


def contributions(deck: Deck, results: Results, words: Words) -> None:
    """9: who did this, and what it stands on."""
    page = deck.topic(words.say("contributions.kicker"), words.say("contributions.title"))
    talk = results.study.part("talk")
    members: list[Text] = [
        (*name, *(words.colon(talk.value(f"team.{i}.role")) if talk.get(f"team.{i}.role") else ()))
        for i, name in enumerate(_members(results))
    ]
    subjects: dict[str, list[Text]] = {
        "team": members,
        "thanks": [(talk.value(f"thanks.{i}"),) for i in range(len(talk.get("thanks", [])))],
        "methods": [words.say("contributions.papers")],
        "tools": [records.tools(results, words)],
    }
    people = [name for name in ("team", "thanks") if subjects[name]]
    columns = [people, ["methods", "tools"]] if people else [["methods"], ["tools"]]
    blocks = [
        [
            Paragraph(text, style)
            for number, name in enumerate(column)
            for text, style in (
                (words.say(f"contributions.{name}"), NEXT_HEADING if number else HEADING),
                *((text, LEAD) for text in subjects[name]),
            )
        ]
        for column in columns
    ]
    page.write_alike(page.body.columns(1, 1, gap=48), blocks, SIZES)
    notes = words.say("contributions.notes")
    names = words.listing(_members(results))
    team = [words.say("contributions.notes_team", names=names)] if members else []
    speak(page, words, SECONDS["contributions"], notes, *team)


def outlook(deck: Deck, results: Results, words: Words) -> None:
    """10: what would settle what is open; thanks and questions."""
    page = deck.topic(words.say("outlook.kicker"), words.say("outlook.title"))
    texts = findings.next_steps(results, words) or [words.say("outlook.settled")]
    if not results.repeated:
        texts = [words.say("outlook.seeds")]
    texts += [words.say("outlook.recipes"), words.say("outlook.data")]
    heading, below = page.body.top_part(30, gap=14)
    page.write(heading, [Paragraph(words.say("outlook.heading"), HEADING)], SIZES)
    page.write(below, [Paragraph(text, BULLET) for text in texts], SIZES)
    speak(page, words, SECONDS["outlook"], words.say("outlook.notes"))


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
        page.write(label, [words.say(f"method.{name}", images=images)], (16, 15, 14))


def _of_one_seed(results: Results, words: Words) -> list[Text]:
    """Return what holds although there is one seed: what was run, and what needs no accuracy."""
    pipeline = words.say("conclusions.pipeline", runs=results.run_count())
    told = [findings.accuracy_range(results)]
    told += [findings.saving(table, words) for table in results.ablations.values()]
    return [pipeline, *(words.tell(finding) for finding in told if finding is not None)]


def _limits(results: Results, words: Words, dataset: Value) -> list[Text]:
    study, models = results.study, results.models
    limits = []
    if results.synthetic:
        limits.append(words.say("common.synthetic"))
    least, most = models.over("min", "seeds", whole), models.over("max", "seeds", whole)
    if results.repeated:
        span = words.span(least, most)
        looks = (
            study.value("study.looks", whole) if int(study.get("study.looks") or 1) > 1 else None
        )
        limits.append(
            words.say("conclusions.limit.seeds", seeds=span)
            if looks is None
            else words.say(
                "conclusions.limit.grown", seeds=span, looks=looks, confidence=rows.confidence()
            )
        )
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
    diverged = results.diverged()
    if diverged.content:
        kind = "one" if diverged.content == 1 else "many"
        limits.append(
            words.say(
                f"conclusions.limit.diverged.{kind}", count=diverged, runs=results.run_count()
            )
        )
    return [*limits, words.say("conclusions.limit.scope")]
