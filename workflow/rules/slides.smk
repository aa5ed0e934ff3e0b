rule deck:
    """The talk, in one language; every number on it comes from the tables."""
    input:
        spec="{root}/specs/slides.json",
        comparison_spec="{root}/specs/comparison.json",
        meta="{root}/data/meta.json",
        comparison=expand(
            "{{root}}/comparison/{table}.csv", table=("models", "families", "pairwise")
        ),
        ablations=get_ablation_tables,
        claims="{root}/claims/claims.csv",
        figures=get_figures,
    output:
        deck="{root}/slides/deck.{language}.pptx",
        numbers="{root}/slides/assets/numbers.{language}.json",
    log:
        "{root}/logs/deck/{language}.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff deck --spec {input.spec} --root {wildcards.root}"
        " --language {wildcards.language} --log-file {log}"
