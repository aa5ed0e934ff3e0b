rule deck:
    """The talk, in one language; every number on it comes from the tables."""
    input:
        unpack(
            tracked(
                meta="<root>/data/meta.json",
                comparison=expand(
                    "<root>/comparison/{table}.csv",
                    table=("models", "pairwise", "runs"),
                ),
                ablations=ABLATIONS,
                claims="<root>/claims/claims.csv",
                runs=LAYOUT.run_files(
                    ("metrics.json", "provenance.json"), LAYOUT.seeds
                ),
                figures=comparison_runs("history.csv", "predictions.npz"),
            )
        ),
    output:
        deck=update("<root>/slides/deck.{language}.pptx"),
        pictures=update(
            expand(
                "<root>/slides/assets/{figure}.{{language}}.png",
                figure=LAYOUT.pictures,
            )
        ),
        numbers=update("<root>/slides/assets/numbers.{language}.json"),
        notes=update("<root>/slides/assets/notes.{language}.md"),
        record=update("<root>/records/slides/{language}.json"),
    log:
        "<root>/logs/deck/{language}.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        code=[f"bakeoff.figures.{figure}" for figure in LAYOUT.pictures],
    script:
        "../scripts/deck.py"
