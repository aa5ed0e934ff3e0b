rule compare:
    """All variants: accuracy with intervals, cost, families, and every pair's difference."""
    input:
        unpack(
            tracked(
                meta="<root>/data/meta.json",
                reading="<root>/data/reading.json",
                runs=comparison_runs("metrics.json", "history.csv", "predictions.npz"),
                profiles=expand(
                    "<root>/profiles/{variant}.json", variant=RESOLVED.profiled()
                ),
            )
        ),
    output:
        tables=update(
            expand(
                "<root>/comparison/{table}.{suffix}",
                table=COMPARISON_TABLES,
                suffix=TABLE_SUFFIXES,
            )
        ),
        record=update("<root>/records/comparison.json"),
    log:
        "<root>/logs/compare.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    script:
        "../scripts/compare.py"


rule ablate:
    """One ablation: each arm against the baseline."""
    input:
        unpack(
            tracked(
                runs=ablation_runs("metrics.json", "history.csv", "predictions.npz")
            )
        ),
    output:
        tables=update(
            expand("<root>/ablation/{{ablation}}.{suffix}", suffix=TABLE_SUFFIXES)
        ),
        record=update("<root>/records/ablations/{ablation}.json"),
    log:
        "<root>/logs/ablate/{ablation}.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    script:
        "../scripts/ablate.py"


rule claims:
    """Each published figure against what was measured."""
    input:
        unpack(
            tracked(
                models="<root>/comparison/models.csv",
                pairs="<root>/comparison/pairwise.csv",
                runs="<root>/comparison/runs.csv",
                ablations=ABLATIONS,
            )
        ),
    output:
        tables=update(expand("<root>/claims/claims.{suffix}", suffix=TABLE_SUFFIXES)),
        record=update("<root>/records/claims.json"),
    log:
        "<root>/logs/claims.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    script:
        "../scripts/claims.py"


rule report:
    """All tables and figures on one page of Markdown."""
    input:
        unpack(
            tracked(
                meta="<root>/data/meta.json",
                reading="<root>/data/reading.json",
                models="<root>/comparison/models.csv",
                comparison=expand(
                    "<root>/comparison/{table}.md",
                    table=("models", "families", "pairwise"),
                ),
                ablations=expand(
                    "<root>/ablation/{ablation}.{suffix}",
                    ablation=STUDY.ablations,
                    suffix=("csv", "md"),
                ),
                claims=expand("<root>/claims/claims.{suffix}", suffix=("csv", "md")),
                figures=expand("<root>/figures/{figure}.png", figure=RESOLVED.figures),
            )
        ),
    output:
        report=update("<root>/report/report.md"),
        record=update("<root>/records/report.json"),
    log:
        "<root>/logs/report.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    script:
        "../scripts/report.py"


rule page:
    """The page to explore the study with, one file. It shows test images, and is no part of an archive."""
    input:
        unpack(
            tracked(
                meta="<root>/data/meta.json",
                comparison=expand(
                    "<root>/comparison/{table}.csv", table=COMPARISON_TABLES
                ),
                ablations=ABLATIONS,
                claims="<root>/claims/claims.csv",
                runs=RESOLVED.run_files(
                    (
                        "metrics.json",
                        "history.csv",
                        "predictions.npz",
                        "provenance.json",
                    ),
                    RESOLVED.seeds,
                ),
                plan=[
                    file for file in [f"{ROOT}/plan/gpus.json"] if Path(file).is_file()
                ],
            )
        ),
    output:
        page=update("<root>/report/index.html"),
        record=update("<root>/records/page.json"),
    log:
        "<root>/logs/page.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    script:
        "../scripts/page.py"
