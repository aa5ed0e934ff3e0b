from bakeoff.study.specs import FIGURES


rule deck:
    """The talk, in one language; every number on it comes from the tables."""
    input:
        unpack(
            tracked(
                "slides/{language}",
                spec="{root}/specs/slides.json",
                specs=get_table_specs,
                meta="{root}/data/meta.json",
                comparison=expand(
                    "{{root}}/comparison/{table}.csv",
                    table=("models", "families", "pairwise", "runs"),
                ),
                ablations=get_ablation_tables,
                claims="{root}/claims/claims.csv",
            )
        ),
    output:
        # Besides these, a study with ablations has a picture of them.
        deck="{root}/slides/deck.{language}.pptx",
        pictures=expand(
            "{{root}}/slides/assets/{figure}.{{language}}.png", figure=FIGURES
        ),
        numbers="{root}/slides/assets/numbers.{language}.json",
        notes="{root}/slides/assets/notes.{language}.md",
    log:
        "{root}/logs/deck/{language}.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff deck --spec {input.spec} --root {wildcards.root}"
        " --language {wildcards.language}"
        " --record {wildcards.root} slides/{wildcards.language} --log-file {log}"
