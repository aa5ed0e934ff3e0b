"""What a configuration may say: hostile values are told before the first job, harmless spellings mean the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff.errors import UserError
from bakeoff.jobs.answers import adopt_results
from bakeoff.study.config import Asked
from bakeoff.study.layers import COMMAND_LINE, Layer, load_yaml, read_arguments, without_words
from bakeoff.study.networks import takes_drop_path
from bakeoff.study.specs import data_spec, run_spec
from bakeoff.study.study import Study, load_study
from bakeoff.training.recipe import Recipe
from bakeoff.workflow import load_asked
from tests.support.project import REPOSITORY

CONFIG: dict[str, Any] = load_yaml(REPOSITORY / "config" / "config.yaml")


def study(over: str = "", *arguments: str, folder: Path = REPOSITORY) -> Study:
    """Return the committed study with `over`, as YAML, and arguments of --config laid over it."""
    layers = [Layer("config/config.yaml", CONFIG)]
    if over:
        layers.append(Layer("my.yaml", yaml.safe_load(over)))
    if arguments:
        layers.append(Layer(COMMAND_LINE, read_arguments(arguments)))
    return load_study(layers, folder)


def complaints(*given: str, folder: Path = REPOSITORY) -> list[str]:
    with pytest.raises(UserError) as caught:
        study(*given, folder=folder)
    return str(caught.value).splitlines()


def recipe_of(resolved: Study, variant: str = "resnet_20") -> Recipe:
    return Recipe.model_validate(run_spec(resolved, resolved.variants[variant])["recipe"])


LONG = 250 * "x"
DRAWN = "kind: shapes, shapes: {train_images: 3000, test_images: 500, seed: 0}"


# One mistake, one sentence, with these words in it.
@pytest.mark.parametrize(
    ("over", "words"),
    [
        # Whole numbers and numbers.
        ("recipe_overrides: {epochs: 2.5}", "recipe_overrides.epochs is 2.5, expected a whole number"),
        ("recipe_overrides: {epochs: true}", "epochs is true, expected a whole number"),
        ("recipe_overrides: {epochs: '3'}", 'epochs is "3", expected a whole number. YAML reads this as text; write 3'),
        ("recipe_overrides: {epochs: 100001}", "at most 100000"),
        ("recipe_overrides: {epochs: null}", "epochs is null, expected a whole number"),
        ("recipe_overrides: {epochs: .nan}", "epochs is NaN, expected a whole number"),
        ("recipe_overrides: {epochs: [3]}", "epochs is [3], expected a whole number"),
        ("recipe_overrides: {global_batch: 0}", "global_batch is 0, expected at least 1"),
        ("recipe_overrides: {global_batch: 60.5}", "global_batch is 60.5, expected a whole number"),
        ("recipe_overrides: {micro_batch: -1}", "micro_batch is -1, expected at least 1"),
        ("recipe_overrides: {learning_rate: {base: .nan}}", "learning_rate.base is NaN, expected a finite number"),
        ("recipe_overrides: {learning_rate: {base: .inf}}", "learning_rate.base is Infinity, expected a finite"),
        ("recipe_overrides: {learning_rate: {base: 0}}", "base is 0, expected more than 0"),
        ("recipe_overrides: {learning_rate: {per_images: 0}}", "per_images is 0, expected at least 1"),
        ("recipe_overrides: {learning_rate: 0.1}", "learning_rate is 0.1, expected a mapping"),
        ("recipe_overrides: {label_smoothing: .nan}", "label_smoothing is NaN"),
        ("recipe_overrides: {label_smoothing: 1}", "label_smoothing is 1, expected less than 1"),
        ("recipe_overrides: {optimizer: {weight_decay: .inf}}", "optimizer.weight_decay is Infinity"),
        ("recipe_overrides: {optimizer: {weight_decay: -0.1}}", "weight_decay is -0.1, expected at least 0"),
        ("recipe_overrides: {optimizer: {name: adam}}", 'name is "adam" (did you mean \'adamw\'?), expected one of'),
        ("recipe_overrides: {optimizer: {momentum: 1}}", "momentum is 1, expected less than 1"),
        ("recipe_overrides: {optimizer: {nesterov: 1}}", "nesterov is 1, expected true or false"),
        ("recipe_overrides: {optimizer: {betas: [0.9]}}", "optimizer.betas has too few entries, expected 2"),
        ("recipe_overrides: {optimizer: {betas: [0.9, 0.9, 0.9]}}", "betas has 3 entries, expected at most 2"),
        ("recipe_overrides: {optimizer: {betas: [0.9, 1]}}", "optimizer.betas[1] is 1, expected less than 1"),
        ("recipe_overrides: {optimizer: {betas: 0.9}}", "betas is 0.9, expected a list"),
        ("recipe_overrides: {optimizer: {lr: 0.1}}", "optimizer.lr is not a known key"),
        ("recipe_overrides: {drop_path: 1}", "drop_path is 1, expected less than 1"),
        ("recipe_overrides: {gradient_clip: 0}", "gradient_clip is 0, expected more than 0"),
        ("recipe_overrides: {gradient_clip: x}", 'gradient_clip is "x", expected a number or null'),
        ("recipe_overrides: {ema_decay: 1.0}", "ema_decay is 1.0, expected less than 1"),
        ("recipe_overrides: {precision: fp8}", "precision is \"fp8\""),
        ("recipe_overrides: {compile: maybe}", "compile is \"maybe\", expected true or false"),
        ("recipe_overrides: {checkpoint_minutes: 5}", "checkpoint_minutes is not a known key"),
        # What only two keys together get wrong.
        ("recipe_overrides: {optimizer: {momentum: 0}}", "uniform.optimizer.nesterov is true, but momentum is 0"),
        ("recipe_overrides: {warmup_epochs: 200}", "warmup_epochs is 200, expected less than epochs, which is 200"),
        ("recipe_overrides: {epochs: 3, warmup_epochs: 3}", "warmup_epochs is 3, expected less than epochs"),
        ("recipe_overrides: {final_learning_rate: 1}", "final_learning_rate is 1, expected at most the peak"),
        # Augmentation.
        ("recipe_overrides: {augmentation: {crop_pading: 4}}", "did you mean 'crop_padding'?"),
        ("recipe_overrides: {augmentation: {crop_padding: 17}}", "crop_padding is 17, expected at most 16"),
        ("recipe_overrides: {augmentation: {crop_padding: true}}", "crop_padding is true, expected a whole"),
        ("recipe_overrides: {augmentation: {flip: 1}}", "flip is 1, expected true or false"),
        ("recipe_overrides: {augmentation: {erasing: 1.5}}", "erasing is 1.5, expected at most 1"),
        ("recipe_overrides: {augmentation: {cutout: 2.5}}", "cutout is 2.5, expected a whole number"),
        ("recipe_overrides: {augmentation: {mixup: .inf}}", "mixup is Infinity, expected a finite number"),
        ("recipe_overrides: {augmentation: {cutmix: '1'}}", 'cutmix is "1", expected a number'),
        ("recipe_overrides: {augmentation: {policy: randaugmen}}", "did you mean 'randaugment'?"),
        (
            "recipe_overrides: {augmentation: {policy: randaugment, policy_args: {magnitude: 40}}}",
            "recipe_overrides.augmentation.policy_args.magnitude is 40, expected less than 31",
        ),
        (
            "recipe_overrides: {augmentation: {policy: randaugment, policy_args: {layers: 0}}}",
            "policy_args.layers is 0, expected at least 1",
        ),
        (
            "recipe_overrides: {augmentation: {policy: randaugment, policy_args: {ops: 2}}}",
            "policy_args.ops is not a known key. Known here: magnitude, layers",
        ),
        (
            "recipe_overrides: {augmentation: {policy: randaugment, policy_args: [2]}}",
            "policy_args is [2], expected a mapping",
        ),
        (
            "recipe_overrides: {augmentation: {policy: trivialaugment, policy_args: {layers: 3}}}",
            "policy_args is for the policy randaugment, but policy is trivialaugment",
        ),
        # Seeds.
        ("seeds: {comparison: [0, 0.5]}", "seeds.comparison[1] is 0.5, expected a whole number"),
        ("seeds: {comparison: [1, 1.0]}", "seeds.comparison has 1 more than once"),
        ("seeds: {comparison: [2147483648]}", "seeds.comparison[0] is 2147483648, expected at most 2147483647"),
        ("seeds: {comparison: ['0']}", 'seeds.comparison[0] is "0", expected a whole number'),
        ("seeds: {comparison: [true]}", "seeds.comparison[0] is true"),
        ("seeds: {comparison: null}", "seeds.comparison is null, expected a list"),
        ("seeds: {both: [0]}", "seeds.both is not a known key"),
        ("seeds: [0]", "seeds is [0], expected a mapping"),
        # Data.
        ("data: {kind: cifar}", 'data.kind is "cifar" (did you mean'),
        ("data: {kind: archive}", 'data.kind is "archive", expected one of "cifar10", "cifar100", "image_fold'),
        ("data: {classes: 1}", "data.classes is 1, expected at least 2"),
        ("data: {classes: 50}", "data.classes is 50, but CIFAR-100 has 100. Leave it out."),
        ("data: {image_size: 64}", "data.image_size is 64, but the images of CIFAR-100 have 32 pixels"),
        ("data: {image_size: 8}", "data.image_size is 8, expected at least 16. Height and width"),
        ("data: {kind: cifar10, limit: {test: 9}}", "data.limit.test is 9, expected at least 10, one image of each"),
        (
            "data: {kind: shapes, classes: 300, shapes: {train_images: 9000, test_images: 200}}",
            "data.shapes.test_images is 200, expected at least 300, one image of each class",
        ),
        (
            "data: {kind: shapes, classes: 4, shapes: {train_images: 9000, superclasses: 5}}",
            "data.shapes.superclasses is 5, expected 2 to 4 for 4 classes, or null",
        ),
        ("data: {kind: shapes, shapes: {difficulty: 2}}", "data.shapes.difficulty is 2, expected at most 1"),
        ("data: {shape: 3}", "data.shape is not a known key (did you mean 'shapes'?). Known here: kind, classes"),
        ("data: {archive: ''}", "data.archive is empty"),
        ("data: {archive: 5}", "data.archive is 5, expected text or null"),
        ("data: {urls: []}", "data.urls is empty"),
        ("data: {urls: ['ftp://x']}", "data.urls[0]"),
        ("data: {urls: https://x}", "data.urls is \"https://x\", expected a list"),
        ("data: {md5: 0}", "data.md5 is 0, expected text or null"),
        ("data: {md5: g3b5dce01913d631647c71ecec9e9cb8}", "data.md5"),
        ("data: {validation: {images: 0}}", "data.validation.images is 0, expected at least 1"),
        ("data: {validation: {images: 50000}}", "data.validation.images is 50000, expected fewer than there are"),
        ("data: {validation: {images: .inf}}", "data.validation.images is Infinity"),
        ("data: {validation: {seed: -1}}", "data.validation.seed is -1, expected at least 0"),
        ("data: {limit: {train: 100}}", "expected fewer than there are for training: 100 (data.limit.train)"),
        ("data: {limit: {test: 50}}", "data.limit.test is 50, expected at least 100, one image of each class"),
        ("data: {limit: 100}", "data.limit is 100, expected a mapping"),
        (f"data: {{{DRAWN}}}", "data.validation.images is 5000, expected fewer than there are for training: 3000"),
        ("data: {kind: shapes, shapes: {train_images: 100}}", "data.shapes.train_images is 100, expected at least 200"),
        # Names.
        ("name: ''", "name is"),
        ('name: "a\\n"', "name is \"a\\n\", which does not fit the pattern"),
        ("name: a b", "does not fit the pattern"),
        (f"name: {LONG}", "name has 250 characters, expected at most 64"),
        ("name: 2024", "name is 2024, expected text"),
        ("name: null", "name is null, expected text"),
        ("variants: []", "variants is empty"),
        ("variants: resnet_20", 'variants is "resnet_20", expected a list'),
        ("variants: [resnet_20, resnet_20]", "variants has resnet_20 more than once"),
        ("variants: [3]", "variants[0] is 3, expected text"),
        (f"variants: [{LONG}]", "variants[0] has 250 characters"),
        ("variants: {resnet_20: 1}", "variants is {\"resnet_20\": 1}, expected a list"),
        ("ablations: [eca, eca]", "ablations has eca more than once"),
        ("ablations: null", "ablations is null, expected a list"),
        # Overrides of variants.
        ("variant_overrides: {resnet_20: {args: {depth: .nan}}}", "variant_overrides.resnet_20.args"),
        ("variant_overrides: {resnet_20: {args: {x: 2024-01-01}}}", "variant_overrides.resnet_20.args"),
        ("variant_overrides: {resnet_20: {args: {x: {3: 4}}}}", "variant_overrides.resnet_20.args"),
        ("variant_overrides: {resnet_20: {args: [20]}}", "resnet_20.args is [20], expected a mapping"),
        ("variant_overrides: {resnet_20: {pretrained: 1}}", "pretrained is 1, expected true or false"),
        ("variant_overrides: {resnet_20: {display: ResNet-32}}", "are both shown as 'ResNet-32'"),
        (f"variant_overrides: {{resnet_20: {{display: {LONG}}}}}", "display has 250 characters, expected at most 80"),
        ('variant_overrides: {resnet_20: {display: "a\\nb"}}', "display is \"a\\nb\", which does not fit the pattern"),
        ('variant_overrides: {resnet_20: {family: ""}}', "family is"),
        ("variant_overrides: {resnet_20: {input_policy: resize0}}", "input_policy is \"resize0\""),
        ("variant_overrides: {resnet_20: {year: 20.5}}", "year is 20.5"),
        ("variant_overrides: {resnet_20: 3}", "variant_overrides.resnet_20 is 3, expected a mapping"),
        ("variant_overrides: {resnet_20: {weights: {sha256: abc}}}", "weights.sha256"),
        ("variant_overrides: {resnet_20: {weights: {mean: [0.5]}}}", "weights.mean has too few entries, expected 3"),
        ("variant_overrides: {resnet_20: {weights: {std: [1, 1, .nan]}}}", "weights.std"),
        # Settings of the machine.
        ("gpus: 0", "gpus is 0, expected auto or a whole number of at least 1"),
        ("gpus: many", "gpus is 'many', expected auto"),
        ("gpus: 2.5", "gpus is 2.5, expected auto"),
        ("gpus: null", "gpus is None, expected auto"),
        ("price: {gpu_hour: .nan}", "price.gpu_hour is NaN, expected a finite number"),
        ("price: {gpu_hour: -1}", "price.gpu_hour is -1, expected at least 0"),
        ('price: {currency: ""}', "price.currency"),
        ("price: 3", "price is 3, expected a mapping"),
        ("checkpoint_minutes: -1", "checkpoint_minutes is -1, expected at least 0"),
        ("checkpoint_minutes: .inf", "checkpoint_minutes is Infinity, expected a finite number"),
        ("deterministic: 1", "deterministic is 1, expected true or false"),
        ("deterministic: 'true'", 'deterministic is "true", expected true or false'),
        ("tensorboard: yes please", "tensorboard is \"yes please\""),
        ("versions: loose", 'versions is "loose", expected one of "strict", "compatible", "ignore"'),
        ("weights: {dir: ''}", "weights.dir"),
        ("protocol: [uniform]", "protocol is [\"uniform\"]"),
        ("files: {models: 3}", "files.models is 3, expected text"),
        ("files: {models: config/model.yaml}", "config/model.yaml does not exist"),
        ("files: {modles: x}", "did you mean 'models'?"),
    ],
)  # fmt: skip
def test_a_hostile_value_is_told_in_one_sentence(over: str, words: str) -> None:
    lines = complaints(over)
    assert len(lines) == 1, lines
    assert words in lines[0]
    assert "my.yaml: " in lines[0] or "config/model" in lines[0]
    assert "Value error" not in lines[0]
    assert "Input should" not in lines[0]


def in_file(tmp_path: Path, kind: str, text: str) -> list[str]:
    """Return the complaints about a study whose models, recipes, ... are those of the text."""
    (tmp_path / f"{kind}.yaml").write_text(text, encoding="utf-8")
    return complaints(f"{{ablations: [], files: {{{kind}: {tmp_path}/{kind}.yaml}}}}")


CLAIM = """
- id: one
  source: a paper
  statement: {{en: "{en}", zh: "{{claimed}}"}}
  claimed: {claimed}
  unit: {unit}
  relation: at_least
  measure: {measure}
"""


def claim(
    en: str = "{claimed} %",
    claimed: str = "70",
    unit: str = "percent",
    measure: str = "{kind: top1, variant: resnet_20}",
) -> str:
    return CLAIM.format(en=en, claimed=claimed, unit=unit, measure=measure)


BASE = "epochs: 9, global_batch: 8, micro_batch: 8, learning_rate: {base: 0.1, per_images: 8}"


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("claims", claim(en="{claimd} %"), "one.statement.en has {claimd}, but only {claimed}"),
        ("claims", claim(en="{} %"), "[0].statement.en has {}, but only {claimed}"),
        ("claims", claim(en="{claimed:.1f} %"), "has {claimed:.1f}, but only {claimed}"),
        ("claims", claim(en="{claimed"), "has a brace without its other half"),
        ("claims", claim(claimed=".nan"), "[0].claimed is NaN, expected a finite number"),
        ("claims", claim(claimed="'70'"), '[0].claimed is "70", expected a number'),
        ("claims", claim(unit="points"), "[0].unit is 'points', but a measure of kind 'top1' is in 'percent'"),
        ("claims", claim(measure="{kind: top_1, variant: resnet_20}"), "did you mean 'top1'?"),
        ("claims", claim(measure="{kind: top1}"), "[0].measure.variant is missing, which kind 'top1' needs"),
        ("claims", claim(measure="{kind: top1, variant: resnet_21}"), "one.measure.variant is 'resnet_21'"),
        ("claims", claim() + claim(), "two claims have the id 'one'"),
        ("claims", "one: 1", "expected a list"),
        ("claims", "", "the whole file is null, expected a list"),
        ("recipes", f"uniform: {{{BASE}}}", "uniform lacks the key 'optimizer'. Which optimizer"),
        ("recipes", f"uniform: {{{BASE}, optimizer: {{name: sgd}}}}\nother: {{{BASE}, optimizer: {{name: x}}}}",
         "other.optimizer.name is \"x\""),
        ("recipes", f"uniform: {{{BASE}, optimizer: {{name: sgd}}, warmup_epochs: 9}}", "uniform.warmup_epochs is 9"),
        ("recipes", f"uniform: {{{BASE}, optimizer: {{name: sgd, nesterov: true, momentum: 0}}}}",
         "uniform.optimizer.nesterov is true, but momentum is 0"),
        ("recipes", f"a b: {{{BASE}, optimizer: {{name: sgd}}}}", "a b is a name that cannot be used"),
        ("recipes", f"5: {{{BASE}, optimizer: {{name: sgd}}}}", "5] is a name that cannot be used"),
        ("recipes", f"{LONG}: {{{BASE}, optimizer: {{name: sgd}}}}", "is a name that cannot be used"),
        ("recipes", f"uniform: {{{BASE}, optimizer: {{name: sgd}}, epochs: 9}}", "stands there twice"),
        ("models", "x: {family: X, builder: timm, args: {name: .inf}}", "x.args.name is inf"),
        ("models", "x: {family: X}", "x lacks the key 'builder'"),
        ("models", "x: {family: X, builder: a, published: {top1: .nan}}", "x.published.top1 is nan"),
        ("models", "x: {family: X, builder: a, licence: MIT}", "did you mean 'license'?"),
        ("models", "[x]", "the whole file is [\"x\"], expected a mapping"),
        ("ablations", "a: {title: {en: A, zh: A}, baseline: x, arms: [{arm: x, variant: resnet_20}]}", "a.arms has 1"),
        ("ablations", "a: {title: A, baseline: x, arms: []}", "a.title is \"A\""),
    ],
)  # fmt: skip
def test_what_files_get_wrong_is_told(tmp_path: Path, kind: str, text: str, words: str) -> None:
    lines = in_file(tmp_path, kind, text)
    assert any(words.replace("one.", "[0].", 1) in line or words in line for line in lines), lines
    assert any(f"{kind}.yaml" in line for line in lines)
    assert not any("Value error" in line or "Input should" in line for line in lines)


def test_all_that_the_used_recipes_get_wrong_is_told_at_once() -> None:
    over = (
        "{protocol: tuned, recipe_overrides: {optimizer: {momentum: 0}, final_learning_rate: 0.05}}"
    )
    lines = complaints(over)
    assert len(lines) == 4, lines
    for name in ("tuned_resnet", "tuned_ghost"):
        assert any(f"{name}.optimizer.nesterov is true" in line for line in lines)
    assert sum("recipe_overrides.final_learning_rate is 0.05" in line for line in lines) == 2
    # The same under a protocol whose recipe has no such peak is no mistake of recipes that are not used.
    assert study("recipe_overrides: {final_learning_rate: 0.05}")


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ("..", "does not fit the pattern"),
        (".", "does not fit the pattern"),
        ("../x", "does not fit the pattern"),
        ("results/../..", "does not fit the pattern"),
        ("results/", "does not fit the pattern"),
        ("", "does not fit the pattern"),
        ("a b", "does not fit the pattern"),
        ("~/results", "does not fit the pattern"),
        (".git", "does not fit the pattern"),
        ("$(touch x)", "does not fit the pattern"),
        ("src/bakeoff", "lies in src, which is a folder of the project"),
        ("config", "lies in config"),
        ("resources", "lies in resources"),
        ("workflow/results", "lies in workflow"),
        ("results/demo", "is the folder of the study 'demo' (config/demo.yaml)"),
        ("results/demo/x", "lies in the folder of the study 'demo'"),
        ("results/runs", "lies among the results of the study"),
        ("results/data/x", "lies among the results of the study"),
        ("other/inner", "lies in the folder of the study 'mine' (config/mine.yaml)"),
        ("deep", "holds the folder of the study 'deep' (config/deep.yaml)"),
        ("pictures", "is a folder with other things in it (cat.jpg)"),
        ("file", "cannot be a folder"),
        ("file/x", "cannot be a folder"),
        ("link_to_src", "lies in src"),
        ("link_to_nothing", "is a link to"),
        ("networks", "holds networks/mine.py, which the study reads"),
    ],
)
def test_results_have_a_folder_of_their_own(tmp_path: Path, root: str, words: str) -> None:
    lines = complaints(f'results_root: "{root}"', folder=checkout(tmp_path))
    assert len(lines) == 1, lines
    assert lines[0].startswith("my.yaml: results_root is")
    assert words in lines[0]


def checkout(folder: Path) -> Path:
    """Make a working directory with what a root may come into conflict with."""
    (folder / "config").mkdir(parents=True)
    for file in (REPOSITORY / "config").glob("*.yaml"):
        (folder / "config" / file.name).symlink_to(file)
    (folder / "config/mine.yaml").write_text("name: mine\nresults_root: other\n")
    (folder / "config/deep.yaml").write_text("name: deep\nresults_root: deep/er\n")
    models = (folder / "config/models.yaml").read_text(encoding="utf-8")
    (folder / "config/models.yaml").unlink()
    own = models.replace("builder: cifar_resnet\n", "builder: networks/mine.py:net\n", 1)
    (folder / "config/models.yaml").write_text(own, encoding="utf-8")
    for name in ("src/bakeoff", "pictures", "results/demo/specs", "networks", "fresh"):
        (folder / name).mkdir(parents=True)
    (folder / "pictures/cat.jpg").touch()
    (folder / "networks/mine.py").touch()
    (folder / "file").touch()
    (folder / "link_to_src").symlink_to("src")
    (folder / "link_to_nothing").symlink_to("nowhere")
    (folder / "link_away").symlink_to(folder.parent)
    return folder


def test_roots_that_are_a_studys_own(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "work")
    for root in ("results", "results/mine", "out", "a/b/c", "fresh", "results-2"):
        assert study(f"results_root: {root}", folder=folder).root == root
    demo = load_yaml(REPOSITORY / "config" / "demo.yaml")
    layers = [Layer("config/config.yaml", CONFIG), Layer("config/demo.yaml", demo)]
    assert load_study(layers, folder).root == "results/demo"
    # An absolute path is outside of what a configuration knows; on the command line it is meant.
    away = str(tmp_path / "elsewhere")
    assert study("", f"results_root={away}", folder=folder).root == away
    assert (
        "holds the working directory"
        in complaints("", f"results_root={tmp_path}", folder=folder)[0]
    )
    (tmp_path / "scratch").mkdir()
    (folder / "scratch").symlink_to(tmp_path / "scratch")
    assert study("results_root: scratch", folder=folder).root == "scratch"


@pytest.mark.parametrize(
    ("argument", "meaning"),
    [
        ("recipe_overrides={epochs: 3}", lambda s: recipe_of(s).epochs == 3),
        ('recipe_overrides={"epochs": 3}', lambda s: recipe_of(s).epochs == 3),
        ("recipe_overrides={compile: true}", lambda s: recipe_of(s).compile is True),
        ("recipe_overrides={optimizer: {nesterov: false}}", lambda s: not recipe_of(s).optimizer.nesterov),
        ("recipe_overrides={gradient_clip: null}", lambda s: recipe_of(s).gradient_clip is None),
        ("recipe_overrides={augmentation: {policy: null}}", lambda s: recipe_of(s).augmentation.policy is None),
        ('variant_overrides={"resnet_20": {"args": {"wide": false}}}', lambda s: args(s)["wide"] is False),
        ("variant_overrides={resnet_20: {args: {k: 3}}}", lambda s: args(s)["k"] == 3),
        ("variant_overrides={resnet_20: {args: {k: '3'}}}", lambda s: args(s)["k"] == "3"),
        ("variant_overrides={resnet_20: {args: {k: [1, 2.5, x]}}}", lambda s: args(s)["k"] == [1, 2.5, "x"]),
        ("variant_overrides={resnet_20: {args: {k: 2024-01-01}}}", lambda s: args(s)["k"] == "2024-01-01"),
        ("variant_overrides={resnet_20: {display: 20}}", lambda s: s.variants["resnet_20"].card["display"] == "20"),
        ("variant_overrides={resnet_20: {family: yes}}", lambda s: s.variants["resnet_20"].family == "yes"),
        ("deterministic=true", lambda s: s.deterministic is True),
        ("deterministic=True", lambda s: s.deterministic is True),
        ("tensorboard=yes", lambda s: s.config.tensorboard is True),
        ("name=2024", lambda s: s.name == "2024"),
        ("name=007", lambda s: s.name == "007"),
        ("name=true", lambda s: s.name == "true"),
        ("name=1e3", lambda s: s.name == "1e3"),
        ("gpus=8", lambda s: s.config.gpus == 8),
        ("gpus=auto", lambda s: s.config.gpus == "auto"),
        ("seeds={comparison: [0, 1]}", lambda s: s.seeds["comparison"] == (0, 1)),
        ("data={md5: 01234567890123456789012345678901}", lambda s: s.data.md5.startswith("0123")),
        ("data={archive: 2024}", lambda s: s.data.archive == Path("2024")),
        ("data={archive: null}", lambda s: s.data.archive is None),
        ("data={archive: /a b/c$(d).tar.gz}", lambda s: s.data.archive == Path("/a b/c$(d).tar.gz")),
        ("price={gpu_hour: 3}", lambda s: s.config.price.gpu_hour == 3),
        ("checkpoint_minutes=3", lambda s: s.config.checkpoint_minutes == 3),
        ("variants=[resnet_20]", lambda s: s.comparison == ("resnet_20",)),
        ("ablations=[]", lambda s: not s.ablations),
    ],
)  # fmt: skip
def test_the_command_line_means_what_a_file_would(argument: str, meaning: Any) -> None:
    assert meaning(study("", argument))


def args(resolved: Study) -> Any:
    return resolved.variants["resnet_20"].model["args"]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("name=", "name is null, expected text"),
        ("data=", "data is null, expected a mapping"),
        ("data={kind: shapes", "is not valid YAML"),
        ("deterministic=maybe", 'deterministic is "maybe", expected true or false'),
        (
            "recipe_overrides={epochs: three}",
            'recipe_overrides.epochs is "three", expected a whole number',
        ),
        (
            "recipe_overrides={epochs: '3'}",
            'recipe_overrides.epochs is "3", expected a whole number',
        ),
        ("recipe_overrides={epochs: .nan}", "recipe_overrides.epochs is NaN"),
        ("seeds={comparison: 0}", "seeds.comparison is 0, expected a list"),
        ("md5=x", "md5 is not a known key"),
    ],
)
def test_mistakes_on_the_command_line(argument: str, words: str) -> None:
    lines = complaints("", argument)
    assert len(lines) == 1, lines
    assert lines[0].startswith(COMMAND_LINE)
    assert words in lines[0]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("reason=", "reason is null, expected text"),
        ("reason=null", "reason is null, expected text"),
        ("target=", "target is null, expected text"),
        ("number=", "number is null, expected text"),
        ("slide=0", "slide is 0, expected at least 1"),
        ("slide=two", 'slide is "two", expected a whole number'),
        ("remove=perhaps", 'remove is "perhaps", expected true or false'),
        ("with_weights=1", "with_weights is 1, expected true or false"),
    ],
)
def test_what_is_asked_of_a_target_is_checked_too(argument: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_asked(read_arguments([argument]))
    assert words in str(caught.value)


def test_what_is_asked_of_a_target_is_typed() -> None:
    given = [
        "number=71.30",
        "slide=3",
        "remove=true",
        "with_weights=true",
        "reason=yes",
        "target=1.5",
        "gpus=8",
    ]
    asked = load_asked(read_arguments(given))
    assert (asked.number, asked.slide, asked.target, asked.reason) == ("71.30", 3, "1.5", "yes")
    assert asked.remove is True
    assert asked.with_weights is True


@pytest.mark.parametrize("reason", ["", "  ", "None", "none"])
def test_adopting_needs_a_reason(reason: str) -> None:
    with pytest.raises(UserError, match="Say why the change is harmless"):
        # Refused before anything is looked at.
        adopt_results(None, None, Asked(reason=reason) if reason else Asked())  # type: ignore[arg-type]


def test_arguments_of_one_key_merge_and_are_kept_for_an_archive() -> None:
    given = read_arguments(["data={limit: {train: 6000}}", "data={limit: {test: 500}}", "name=a b"])
    assert without_words(given) == {"data": {"limit": {"train": 6000, "test": 500}}, "name": "a b"}


def test_other_spellings_of_one_value_are_that_value() -> None:
    """What changes no result makes no run stale."""
    plain = study(
        "{seeds: {comparison: [0, 1]}, recipe_overrides: {epochs: 2, global_batch: 60, micro_batch: 60}}"
    )
    other = study(
        "{seeds: {comparison: [0, 1.0]}, recipe_overrides: {epochs: 2.0, global_batch: 60.0, micro_batch: 128}}"
    )
    assert plain.seeds == other.seeds
    assert all(type(seed) is int for seed in other.seeds["comparison"])
    assert run_spec(plain, plain.variants["resnet_20"]) == run_spec(
        other, other.variants["resnet_20"]
    )
    assert recipe_of(other).micro_batch == 60
    upper, lower = (study(f"data: {{md5: {text}}}") for text in ("AB" * 16, "ab" * 16))
    assert data_spec(upper) == data_spec(lower)
    assert study("data: {md5: 03B5DCE01913D631647C71ECEC9E9CB8}").data.official


def test_settings_of_the_machine_are_no_part_of_a_run() -> None:
    plain, other = study(), study("{checkpoint_minutes: 3, gpus: 2, tensorboard: true}")
    for name in plain.variants:
        assert run_spec(plain, plain.variants[name]) == run_spec(other, other.variants[name])


@pytest.mark.parametrize(
    ("over", "warmup"),
    [
        ("recipe_overrides: {epochs: 15}", 5 * 15 / 200),
        ("recipe_overrides: {epochs: 3}", 5 * 3 / 200),
        ("recipe_overrides: {epochs: 400}", 10),
        ("recipe_overrides: {epochs: 15, warmup_epochs: 2}", 2),
        ("recipe_overrides: {global_batch: 128}", 5),
        ("{protocol: fast, recipe_overrides: {epochs: 4}}", 0.5),
    ],
)
def test_a_run_of_another_length_keeps_the_shape_of_its_schedule(over: str, warmup: float) -> None:
    assert recipe_of(study(over)).warmup_epochs == pytest.approx(warmup, abs=1e-6)


def test_shortened_tuned_recipes_all_reach_their_peak() -> None:
    resolved = study("{protocol: tuned, recipe_overrides: {epochs: 3}}")
    for name in resolved.variants:
        recipe = recipe_of(resolved, name)
        assert recipe.warmup_epochs < recipe.epochs


def test_drop_path_reaches_builders_that_have_it_and_leaves_others_alone() -> None:
    resolved = study("recipe_overrides: {drop_path: 0.1}")
    having = {
        name for name in resolved.variants
        if resolved.variants[name].model["args"].get("drop_path_rate") == 0.1
    }  # fmt: skip
    assert {"resnet_20", "convnext_tiny_timm", "coatnet_0", "hornet_tiny", "resnest50d"} <= having
    assert "ghostnet_100" not in having


def test_a_builder_of_ones_own_is_asked_for_its_arguments(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("def a(n, *, drop_path_rate=0.0): ...\ndef b(n, **more): ...\ndef c(:\n")
    assert not takes_drop_path(f"{file}:a", {})
    file.write_text("def a(n, *, drop_path_rate=0.0): ...\ndef b(n, **more): ...\n")
    assert takes_drop_path(f"{file}:a", {})
    assert not takes_drop_path(f"{file}:b", {})
    assert takes_drop_path(f"{file}:b", {"drop_path_rate": 0.0})
    assert not takes_drop_path("nowhere.py:a", {})


BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{l: *a{n - 1}, r: *a{n - 1}, m: *a{n - 1}}}\n" for n in range(1, 30)
)
LISTS = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "unfolds to more than"),
        (LISTS, "unfolds to more than"),
        ("a: &a {b: *a}", "holds itself"),
        ("a: " + 3000 * "[" + 3000 * "]", "nested too deeply"),
        ("a: 1\na: 2", "'a' stands there twice"),
        ("a: [1, 2", "is not valid YAML"),
        ("a: !!python/object:os.system {}", "is not valid YAML"),
    ],
)  # fmt: skip
def test_files_that_are_no_configuration(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        load_yaml(tmp_path / "x.yaml")
    assert words in str(caught.value)
    assert "x.yaml" in str(caught.value)
