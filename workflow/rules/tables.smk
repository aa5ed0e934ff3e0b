rule compare:
    """All variants: accuracy with intervals, cost, families, and every pair's difference."""
    input:
        unpack(
            tracked(
                "comparison",
                spec="{root}/specs/comparison.json",
                meta="{root}/data/meta.json",
                runs=get_comparison_runs,
                profiles=get_profiles,
            )
        ),
    output:
        tables=expand(
            "{{root}}/comparison/{table}.{suffix}",
            table=("models", "families", "pairwise", "runs"),
            suffix=("csv", "md", "tex"),
        ),
    log:
        "{root}/logs/compare.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff compare --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} comparison --log-file {log}"


rule ablate:
    """One ablation: each arm against the baseline."""
    input:
        unpack(
            tracked(
                "ablations/{ablation}",
                spec="{root}/specs/ablations/{ablation}.json",
                runs=get_ablation_runs,
            )
        ),
    output:
        tables=expand(
            "{{root}}/ablation/{{ablation}}.{suffix}", suffix=("csv", "md", "tex")
        ),
    log:
        "{root}/logs/ablate/{ablation}.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff ablate --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} ablations/{wildcards.ablation} --log-file {log}"


rule claims:
    """Each published figure against what was measured."""
    input:
        unpack(
            tracked(
                "claims",
                spec="{root}/specs/claims.json",
                models="{root}/comparison/models.csv",
                ablations=get_ablation_tables,
            )
        ),
    output:
        tables=expand("{{root}}/claims/claims.{suffix}", suffix=("csv", "md", "tex")),
    log:
        "{root}/logs/claims.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff claims --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} claims --log-file {log}"


rule report:
    """All tables and figures on one page of Markdown."""
    input:
        unpack(
            tracked(
                "report",
                spec="{root}/specs/report.json",
                meta="{root}/data/meta.json",
                comparison=expand(
                    "{{root}}/comparison/{table}.md",
                    table=("models", "families", "pairwise", "runs"),
                ),
                ablations=get_ablation_tables,
                claims="{root}/claims/claims.md",
                figures=get_figures,
            )
        ),
    output:
        report="{root}/report/report.md",
    log:
        "{root}/logs/report.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff report --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} report --log-file {log}"
