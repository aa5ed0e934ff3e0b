"""What `config/slides.yaml` may contain: the keys, and the placeholders of each. Standard library only.

The file has one block for each language. The blocks hold the same keys; the value of a key is a
template whose placeholders, `{best}`, are filled from result tables when the deck is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

from bakeoff.errors import did_you_mean

LANGUAGES = ("en", "zh")

# Terms that contain digits without being numbers; usable in every template, so that templates
# themselves hold no digit.
TERMS = {"top1": "top-1", "top5": "top-5", "cifar100": "CIFAR-100", "metric": "top-1"}

# Sections that translate names of the study; their keys are free and their values hold no placeholder.
GLOSSARIES = ("names", "rules", "families", "recipe")

_ARM = "arm baseline delta low high seeds baseline_seeds margin"
_GAP = "small best delta low high margin"
_CLAIMS = (
    "claims confirmed refuted inconclusive not_tested not_this_network settled_by_construction"
)

TEMPLATES: Mapping[str, str] = {
    "common.footer": "study dataset protocol",
    "common.sources": "files",
    "common.list_separator": "",
    "common.list_end": "",
    "common.colon": "",
    "common.span": "low high",
    "common.interval": "value low high",
    "common.balanced": "",
    "common.synthetic": "",
    "common.continued": "",
    # title
    "title.title.many": "variants dataset",
    "title.title.one": "variants dataset",
    "title.study": "study protocol",
    "title.runs": "runs epochs seeds",
    "title.dates.one_day": "last",
    "title.dates.period": "first last",
    "title.notes": "study dataset variants runs",
    "title.english_figures": "",
    # background and goals
    "background.kicker": "",
    "background.title": "",
    "background.card.background.heading": "",
    "background.card.background.text": "",
    "background.card.goals.heading": "",
    "background.card.goals.text": "variants families dataset",
    "background.card.stack.heading": "",
    "background.notes": "variants families dataset train validation test",
    # framework
    "framework.kicker": "",
    "framework.title": "",
    "framework.runs": "",
    "framework.hardware": "",
    "framework.notes": "",
    # contributions and thanks
    "contributions.kicker": "",
    "contributions.title": "",
    "contributions.team": "",
    "contributions.thanks": "",
    "contributions.methods": "",
    "contributions.papers": "",
    "contributions.tools": "",
    "contributions.notes": "",
    "contributions.notes_team": "names",
    # outlook
    "outlook.kicker": "",
    "outlook.title": "",
    "outlook.heading": "",
    "outlook.pair": "a b more_seeds",
    "outlook.pair_hours": "a b more_seeds more_gpu_hours",
    "outlook.settled": "",
    "outlook.seeds": "",
    "outlook.recipes": "",
    "outlook.data": "",
    "outlook.notes": "",
    # how differences are judged
    "method.kicker": "",
    "method.title.repeated": "",
    "method.title.one_seed": "",
    "method.question": "dataset",
    "method.train": "images",
    "method.validation": "images",
    "method.test": "images",
    "method.card.validation.heading": "",
    "method.card.validation.text": "validation",
    "method.card.test.heading": "",
    "method.card.test.text": "test",
    "method.card.seeds.heading": "",
    "method.card.seeds.text.repeated": "seeds",
    "method.card.seeds.text.with_ablations": "seeds arm_seeds",
    "method.card.seeds.text.one_seed": "",
    "method.card.intervals.heading": "",
    "method.card.intervals.text.repeated": "confidence",
    "method.card.intervals.text.one_seed": "confidence",
    "method.notes": "train validation test classes",
    # architectures
    "architectures.kicker": "",
    "architectures.title.many": "variants families",
    "architectures.title.one": "variants families",
    "architectures.family": "",
    "architectures.idea": "",
    "architectures.year": "",
    "architectures.variants": "",
    "architectures.notes": "variants families",
    # protocol and recipe
    "protocol.kicker": "",
    "protocol.title.uniform": "epochs",
    "protocol.title.tuned": "",
    "protocol.title.fast": "epochs",
    "protocol.title.other": "protocol epochs",
    "protocol.setting": "",
    "protocol.group.optimisation": "",
    "protocol.group.schedule": "",
    "protocol.group.batches": "",
    "protocol.group.regularisation": "",
    "protocol.notes": "protocol",
    # main results
    "overall.kicker": "",
    "overall.axis": "",
    "overall.balanced": "",
    "overall.colours": "",
    "overall.colours_baseline": "",
    "overall.headline.separable": "best second delta low high judged",
    "overall.headline.tied": "best count judged",
    "overall.headline.all_tied": "best count judged",
    "overall.headline.one_seed": "",
    "overall.headline.one_judged": "best",
    "overall.headline.identical": "best second accuracy",
    "overall.headline.one_variant": "best accuracy",
    "overall.tied": "best names margin",
    "overall.equivalent": "best names margin",
    "overall.range": "best best_accuracy worst worst_accuracy",
    "overall.pairs": "pairs differ equivalent open one_seed margin",
    "overall.not_judged": "names",
    "overall.uneven": "names",
    "overall.images_only": "",
    "overall.ranks.sure": "best rank",
    "overall.ranks.open": "best low high judged",
    "overall.alt": "",
    "overall.notes": "best variants",
    # efficiency
    "efficiency.kicker": "",
    "efficiency.x_axis": "",
    "efficiency.y_axis": "",
    "efficiency.title.cheaper_tie": "small small_params best best_params",
    "efficiency.title.size_pays": "best best_params",
    "efficiency.title.smallest": "best best_params judged",
    "efficiency.title.one_seed": "",
    "efficiency.title.one_variant": "best best_params",
    "efficiency.gap.open": _GAP,
    "efficiency.gap.equivalent": _GAP,
    "efficiency.front": "names",
    "efficiency.ratio": "variant efficiency accuracy params",
    "efficiency.ratio_limit": "",
    "efficiency.alt": "",
    "efficiency.notes": "best",
    # training dynamics and cost
    "dynamics.kicker": "",
    "dynamics.title.spread": "fastest fastest_time slowest slowest_time",
    "dynamics.title.spread_of_gpus": "fastest fastest_time slowest slowest_time",
    "dynamics.title.not_comparable": "",
    "dynamics.title.one_variant": "fastest fastest_time",
    "dynamics.title.not_measured": "",
    "dynamics.curves": "",
    "dynamics.cost": "gpu_hours runs",
    "dynamics.cost_unknown": "",
    "dynamics.curves_alt": "",
    "dynamics.time_alt": "",
    "dynamics.notes": "",
    # ablations
    "ablations.kicker": "",
    "ablations.axis": "",
    "ablations.title.none": "",
    "ablations.title.diverged": "",
    "ablations.title.one_seed": "",
    "ablations.title.better": "better",
    "ablations.title.worse": "worse",
    "ablations.title.better_and_worse": "better worse",
    "ablations.title.equivalent": "margin",
    "ablations.title.open": "",
    "ablations.none": "",
    "ablations.diverged": "",
    "ablations.verdict.better": _ARM,
    "ablations.verdict.worse": _ARM,
    "ablations.verdict.open": _ARM,
    "ablations.verdict.equivalent": "names baseline margin",
    "ablations.verdict.one_seed": "baseline",
    "ablations.verdict.identical": "baseline",
    "ablations.verdict.not_measured": "baseline",
    "ablations.saving.better": f"saved {_ARM}",
    "ablations.saving.worse": f"saved {_ARM}",
    "ablations.saving.equivalent": f"saved {_ARM}",
    "ablations.saving.open": f"saved {_ARM}",
    "ablations.saving.same_arm": "arm saved",
    "ablations.saving.one_seed": "arm saved",
    "ablations.same_network": "arm other",
    "ablations.alt": "ablation",
    "ablations.notes": "",
    # claims
    "claims.kicker": "",
    "claims.title.none": "",
    "claims.title.none_tested": "",
    "claims.title.tested": "",
    "claims.counts.talk": _CLAIMS,
    "claims.counts.paper": _CLAIMS,
    "claims.none": "",
    "claims.claim": "",
    "claims.claimed": "",
    "claims.measured": "",
    "claims.verdict": "",
    "claims.source": "",
    "claims.confirmed": "",
    "claims.refuted": "",
    "claims.inconclusive": "",
    "claims.not_tested": "",
    "claims.not_this_network": "",
    "claims.settled_by_construction": "",
    "claims.exact": "value",
    "claims.reason.dataset": "",
    "claims.reason.metric": "",
    "claims.reason.min_epochs": "",
    "claims.reason.protocol": "",
    "claims.reason.pretrained": "",
    "claims.reason.not_measured": "",
    "claims.reason.seeds": "",
    "claims.reason.variant_absent": "",
    "claims.reason.ablation_absent": "",
    "claims.reason.arm_absent": "",
    "claims.reason.all_diverged": "",
    "claims.reason.epochs": "",
    "claims.reason.device": "",
    "claims.reason.gpus": "",
    "claims.reason.other_machines": "",
    "claims.reason.no_others": "",
    "claims.notes": "",
    # findings and limits
    "conclusions.kicker": "",
    "conclusions.title.separable": "best dataset",
    "conclusions.title.tied": "dataset",
    "conclusions.title.all_tied": "dataset",
    "conclusions.title.one_seed": "",
    "conclusions.title.one_variant": "best dataset",
    "conclusions.found": "",
    "conclusions.unknown": "",
    "conclusions.pipeline": "runs",
    "conclusions.limit.seeds": "seeds",
    "conclusions.limit.grown": "confidence looks seeds",
    "conclusions.limit.two_seeds": "coverage confidence",
    "conclusions.limit.one_seed": "",
    "conclusions.limit.scope": "",
    "conclusions.limit.dataset": "dataset size",
    "conclusions.limit.uniform": "",
    "conclusions.limit.tuned": "",
    "conclusions.limit.fast": "epochs",
    "conclusions.limit.other": "protocol",
    "conclusions.limit.pretrained": "count",
    "conclusions.limit.diverged.one": "count runs",
    "conclusions.limit.diverged.many": "count runs",
    "conclusions.notes": "",
    # backup slides
    "backup.models.kicker": "",
    "backup.models.title": "variants",
    "backup.models.notes": "",
    "backup.pairs.kicker": "",
    "backup.pairs.title": "best",
    "backup.pairs.notes": "",
    "backup.ablation.kicker": "",
    "backup.ablation.title": "ablation",
    "backup.ablation.notes": "",
    "backup.confusion.kicker": "",
    "backup.confusion.title": "best",
    "backup.confusion.text": "superclasses",
    "backup.confusion.alt": "best",
    "backup.confusion.notes": "",
    "backup.reproducibility.kicker": "",
    "backup.reproducibility.title.no_commit": "runs",
    "backup.reproducibility.title.one_commit": "runs",
    "backup.reproducibility.title.several_commits": "runs commits",
    "backup.reproducibility.changed.all": "",
    "backup.reproducibility.changed.some": "count",
    "backup.reproducibility.dirty": "count",
    "backup.reproducibility.cpus.one": "count",
    "backup.reproducibility.cpus.many": "count",
    "backup.reproducibility.cuda": "version",
    "backup.reproducibility.record": "",
    "backup.reproducibility.content": "",
    "backup.reproducibility.commit": "",
    "backup.reproducibility.uncommitted": "",
    "backup.reproducibility.hardware": "",
    "backup.reproducibility.versions": "",
    "backup.reproducibility.seeds": "",
    "backup.reproducibility.period": "",
    "backup.reproducibility.data": "",
    "backup.reproducibility.notes": "",
    "backup.references.kicker": "",
    "backup.references.title": "families",
    "backup.references.notes": "",
    # headings of columns
    "column.rank": "",
    "column.variant": "",
    "column.family": "",
    "column.seeds": "",
    "column.score": "confidence",
    "column.mean": "",
    "column.top1": "",
    "column.balanced": "",
    "column.top5": "",
    "column.params": "",
    "column.macs": "",
    "column.hours": "",
    "column.latency": "",
    "column.efficiency": "",
    "column.other": "",
    "column.delta": "confidence",
    "column.p_adjusted": "",
    "column.finding": "",
    "column.arm": "",
    "column.params_change": "",
    "column.errors": "",
    "column.paper": "",
    "column.year": "",
    # what a difference is called in a table
    "finding.better": "",
    "finding.worse": "",
    "finding.equivalent": "margin",
    "finding.open": "",
    "finding.open_seeds": "more_seeds",
    "finding.open_hours": "more_seeds more_gpu_hours",
    "finding.baseline": "",
    "finding.same": "other",
    "finding.one_seed": "",
    "finding.not_measured": "",
}


def check_slides(mapping: Any, source: str, languages: Sequence[str] = LANGUAGES) -> list[str]:
    """Return one sentence for each mistake in the content of `config/slides.yaml`; none if it is right.

    `source` is the name of the file for the sentences, `languages` are those that have to be there.
    The placeholders of each template, the keys, and the presence of every key in every language are checked.
    """
    if not isinstance(mapping, Mapping):
        return [f"{source}: expected one block for each of the languages {_listed(LANGUAGES)}."]
    mistakes = [
        f"{source}: {language}: unknown language{did_you_mean(language, LANGUAGES)}; "
        f"the deck is made in {_listed(LANGUAGES)}."
        for language in mapping
        if language not in LANGUAGES
    ]
    for language in LANGUAGES:
        if isinstance(mapping.get(language), Mapping):
            mistakes += _check_language(mapping[language], f"{source}: {language}")
        elif language in languages:
            mistakes.append(f"{source}: {language}: the block of this language is missing.")
    return mistakes


def placeholders(template: str) -> list[str]:
    """Return the names of the placeholders in `template`; ValueError if its braces do not match."""
    names = []
    for _, name, form, conversion in Formatter().parse(template):
        if name is not None:
            if form or conversion or not name.isidentifier():
                raise ValueError(f"'{{{name}}}' is not a plain placeholder such as '{{best}}'")
            names.append(name)
    return names


def leaves(block: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each entry below `block` that is not a mapping."""
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _check_language(block: Mapping[str, Any], where: str) -> Iterator[str]:
    found = {
        key: value
        for section, content in block.items()
        if section not in GLOSSARIES
        for key, value in leaves({section: content})
    }
    for key, value in found.items():
        if key not in TEMPLATES:
            yield f"{where}.{key}: unknown key{did_you_mean(key, TEMPLATES)}; remove or rename it."
        else:
            yield from _check_template(value, TEMPLATES[key].split(), f"{where}.{key}")
    yield from (
        f"{where}.{key}: this template is missing; every key needs a text in every language."
        for key in TEMPLATES
        if key not in found
    )
    for section in GLOSSARIES:
        glossary = block.get(section)
        if not isinstance(glossary, Mapping):
            yield f"{where}.{section}: this section is missing; it maps names to what slides show."
            continue
        for key, value in glossary.items():
            yield from _check_template(value, [], f"{where}.{section}.{key}", name=str(key))


def _check_template(value: Any, allowed: list[str], where: str, name: str = "") -> Iterator[str]:
    if not isinstance(value, str) or not value:
        yield f"{where}: expected a text, found {value!r}; put it in quotes."
        return
    try:
        used = placeholders(value)
    except ValueError as error:
        yield f"{where}: {error}; write braces only around the name of a placeholder."
        return
    known = [*allowed, *TERMS]
    for placeholder in used:
        if placeholder not in known:
            yield (
                f"{where}: unknown placeholder {{{placeholder}}}{did_you_mean(placeholder, known)}; "
                f"this template knows {_listed(known)}."
            )
    literals = "".join(literal for literal, *_ in Formatter().parse(value))
    if set(re.findall(r"\d+", literals)) - set(re.findall(r"\d+", name)):  # names keep theirs
        yield f"{where}: a digit in the text; numbers enter a slide through placeholders only."


def _listed(words: Any) -> str:
    return ", ".join(str(word) for word in words)
