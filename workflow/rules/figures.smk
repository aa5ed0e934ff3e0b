rule plot_accuracy_bars:
    input:
        unpack(
            tracked(
                "figures/accuracy_bars",
                spec="{root}/specs/figures/accuracy_bars.json",
                models="{root}/comparison/models.csv",
                seeds="{root}/comparison/runs.csv",
            )
        ),
    output:
        png=report(
            "{root}/figures/accuracy_bars.png",
            caption="../report/accuracy_bars.rst",
            category="Comparison",
        ),
        svg="{root}/figures/accuracy_bars.svg",
    log:
        "{root}/logs/plot/accuracy_bars.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff plot accuracy_bars --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} figures/accuracy_bars --log-file {log}"


rule plot_accuracy_vs_parameters:
    input:
        unpack(
            tracked(
                "figures/accuracy_vs_parameters",
                spec="{root}/specs/figures/accuracy_vs_parameters.json",
                models="{root}/comparison/models.csv",
            )
        ),
    output:
        png=report(
            "{root}/figures/accuracy_vs_parameters.png",
            caption="../report/accuracy_vs_parameters.rst",
            category="Comparison",
        ),
        svg="{root}/figures/accuracy_vs_parameters.svg",
    log:
        "{root}/logs/plot/accuracy_vs_parameters.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff plot accuracy_vs_parameters --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} figures/accuracy_vs_parameters --log-file {log}"


rule plot_accuracy_vs_time:
    input:
        unpack(
            tracked(
                "figures/accuracy_vs_time",
                spec="{root}/specs/figures/accuracy_vs_time.json",
                models="{root}/comparison/models.csv",
            )
        ),
    output:
        png=report(
            "{root}/figures/accuracy_vs_time.png",
            caption="../report/accuracy_vs_time.rst",
            category="Comparison",
        ),
        svg="{root}/figures/accuracy_vs_time.svg",
    log:
        "{root}/logs/plot/accuracy_vs_time.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff plot accuracy_vs_time --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} figures/accuracy_vs_time --log-file {log}"


rule plot_learning_curves:
    input:
        unpack(
            tracked(
                "figures/learning_curves",
                spec="{root}/specs/figures/learning_curves.json",
                models="{root}/comparison/models.csv",
                seeds="{root}/comparison/runs.csv",
                runs=get_comparison_runs,
            )
        ),
    output:
        png=report(
            "{root}/figures/learning_curves.png",
            caption="../report/learning_curves.rst",
            category="Training",
        ),
        svg="{root}/figures/learning_curves.svg",
    log:
        "{root}/logs/plot/learning_curves.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff plot learning_curves --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} figures/learning_curves --log-file {log}"


rule plot_superclass_confusion:
    input:
        unpack(
            tracked(
                "figures/superclass_confusion",
                spec="{root}/specs/figures/superclass_confusion.json",
                models="{root}/comparison/models.csv",
                seeds="{root}/comparison/runs.csv",
                meta="{root}/data/meta.json",
                runs=get_comparison_runs,
            )
        ),
    output:
        png=report(
            "{root}/figures/superclass_confusion.png",
            caption="../report/superclass_confusion.rst",
            category="Comparison",
        ),
        svg="{root}/figures/superclass_confusion.svg",
    log:
        "{root}/logs/plot/superclass_confusion.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff plot superclass_confusion --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} figures/superclass_confusion --log-file {log}"


rule plot_ablation_deltas:
    input:
        unpack(
            tracked(
                "figures/ablation_deltas",
                spec="{root}/specs/figures/ablation_deltas.json",
                tables=get_ablation_tables,
            )
        ),
    output:
        png=report(
            "{root}/figures/ablation_deltas.png",
            caption="../report/ablation_deltas.rst",
            category="Ablations",
        ),
        svg="{root}/figures/ablation_deltas.svg",
    log:
        "{root}/logs/plot/ablation_deltas.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff plot ablation_deltas --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} figures/ablation_deltas --log-file {log}"
